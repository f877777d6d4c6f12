import { type Stack, up } from '../../local/stack.ts'
import { lockStack } from '../../local/stack-lock.ts'
import { type Plan, TcpProxy } from './tcp-proxy.ts'

/** All other files of tests that want it, one after the other. */
const turnMs = 240_000

export type ProxiedKafka = AsyncDisposable & {
  readonly stack: Stack<'kafka'>
  /** Clients that come through it are led back to it by the broker. */
  readonly proxy: TcpProxy
}

/** The stack's Kafka behind a proxy. The broker names one place to come again to, so files of tests take turns. */
export const openProxiedKafka = async ({ plan }: { readonly plan: Plan }): Promise<ProxiedKafka> => {
  const stack = await up({ servers: ['kafka'] })
  const { listen, advertised } = stack.kafka.proxied
  const turn = await lockStack(`${stack.dataDir} behind ${advertised}`, { waitMs: turnMs })
  const [host = '', port] = listen.split(':')
  const proxy = await TcpProxy.open({
    target: { host, port: Number(port) },
    port: Number(advertised.split(':')[1]),
    plan,
  })
  return {
    stack,
    proxy,
    [Symbol.asyncDispose]: async () => {
      await proxy.close()
      await turn[Symbol.asyncDispose]()
    },
  }
}
