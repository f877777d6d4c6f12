import type { Random } from '../../sim/engine/flow/random.ts'
import { oneOf } from './plan.ts'

/** Which of the processes of its service that run at that moment: counted around. */
type Hit<S> = { readonly service: S; readonly nth: number }

/** One that owns partitions, if there is one that is known to; or any. */
export type Whose = 'owner' | 'any'

/** What may befall the processes of a service, whatever it does. */
export type ServiceFault<S extends string> =
  | ({ readonly kind: 'kill'; readonly whose: Whose } & Hit<S>)
  | ({ readonly kind: 'stop' } & Hit<S>)
  | ({ readonly kind: 'freeze'; readonly forMs: number } & Hit<S>)
  /** More of them for a while, ended by a signal. */
  | {
      readonly kind: 'scale-out'
      readonly service: S
      readonly by: number
      readonly forMs: number
      readonly end: 'SIGKILL' | 'SIGTERM'
    }
  /** All of them but one are stopped for a while. */
  | { readonly kind: 'scale-in'; readonly service: S; readonly stays: number; readonly forMs: number }
  /** Somebody joins their group, reads nothing, and leaves. */
  | { readonly kind: 'rebalance'; readonly service: S; readonly forMs: number }

/** Production's default: who is silent for longer is taken for dead. */
export const sessionTimeoutMs = 6000

const nth = (random: Random): number => random.below(60)

export const kill = <S extends string>(random: Random, service: S, whose: Whose = 'any'): ServiceFault<S> => ({
  ...{ kind: 'kill', service, whose },
  nth: nth(random),
})

export const stop = <S extends string>(random: Random, service: S): ServiceFault<S> => ({
  ...{ kind: 'stop', service },
  nth: nth(random),
})

export const freeze = <S extends string>(
  random: Random,
  service: S,
  [least, most]: readonly [number, number],
): ServiceFault<S> => ({
  ...{ kind: 'freeze', service, nth: nth(random) },
  forMs: random.between(least, most),
})

/** Past the session timeout: others take over, and it wakes up in the middle of a write. */
export const freezePastSession = <S extends string>(random: Random, service: S, mostMs = 15_000): ServiceFault<S> =>
  freeze(random, service, [sessionTimeoutMs + 500, mostMs])

export const scaleOut = <S extends string>(random: Random, service: S): ServiceFault<S> => ({
  ...{ kind: 'scale-out', service, by: random.between(1, 2), forMs: random.between(8000, 20_000) },
  end: oneOf(random, ['SIGKILL', 'SIGTERM']),
})

export const scaleIn = <S extends string>(random: Random, service: S): ServiceFault<S> => ({
  ...{ kind: 'scale-in', service, stays: nth(random) },
  forMs: random.between(8000, 15_000),
})

export const rebalance = <S extends string>(random: Random, service: S): ServiceFault<S> => ({
  ...{ kind: 'rebalance', service },
  forMs: random.between(500, 4000),
})

const kinds: Readonly<Record<ServiceFault<string>['kind'], true>> = {
  kill: true,
  stop: true,
  freeze: true,
  'scale-out': true,
  'scale-in': true,
  rebalance: true,
}

/** What the crew of its service does, among all that a target may suffer. */
export const isServiceFault = <F extends { readonly kind: string }>(
  fault: F,
): fault is Extract<F, ServiceFault<string>> => Object.hasOwn(kinds, fault.kind)

/** As it is counted. */
export const serviceFaultKind = (fault: ServiceFault<string>): string =>
  `${fault.service}-${fault.kind}${fault.kind === 'freeze' && fault.forMs > sessionTimeoutMs ? ' past its session' : ''}`
