import { collectDefaultMetrics, Registry } from 'prom-client'

/** A service's metrics; every name begins with `settle_`. */
export const openMetrics = (labels: { readonly service: string; readonly stream: string }): Registry => {
  const registry = new Registry()
  registry.setDefaultLabels(labels)
  collectDefaultMetrics({ register: registry })
  return registry
}
