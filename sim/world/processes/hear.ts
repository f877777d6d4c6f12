import { decodeUserRecord } from '../../../schemas/codec.ts'
import type { World } from '../world.ts'
import type { Role } from './fleet.ts'
import type { Life } from './life.ts'

type Heard = {
  readonly role: Role
  readonly life: Life
  readonly message: string
  readonly fields: Readonly<Record<string, unknown>>
}

/** What a service's log tells of the state it is in. */
export const hear = (world: World, { role, life, message, fields }: Heard): void => {
  if (message === 'the term ended; asking the group who owns') {
    if (fields['kind'] === 'fenced') world.reach('a running writer was fenced')
    return
  }
  if (message.startsWith('a stop does not count') && fields['kind'] === 'fenced')
    world.reach('a stop of a leader that was replaced did not count')
  if (message.startsWith('pos is to move far') && fields['pos'] !== 0n)
    world.reach('a clock in doubt was compared with others')
  if (role === 'repartition') return hearRepartition(world, message, fields)
  if (role === 'settle') hearSettle(world, { role, life, message, fields })
}

const hearRepartition = (world: World, message: string, { src }: Heard['fields']): void => {
  if (message !== 'leading from the tails of user.outputs' || src === -1n) return
  const { broker, names } = world
  const { logs } = broker.topic(names.topics.users)
  const tails = logs.flatMap(log => log.tail(1, log.high))
  if (tails.some(({ value }) => decodeUserRecord(value).kind !== 'Barrier'))
    world.reach('repartition led on from the middle of an interval')
}

const hearSettle = (world: World, { life, message, fields }: Heard): void => {
  if (message === 'starting again from the committed offset') {
    const reason = typeof fields['reason'] === 'string' ? fields['reason'] : ''
    world.storeWatch.forgetLoads(life.name)
    if (reason.startsWith('node ')) world.reach('a partition was opened again after a node changed')
  }
  if (message === 'partition opened') world.storeWatch.forgetLoads(life.name)
  if (message.startsWith('user parked: ')) {
    world.reach('a user was parked')
    world.parking.parked(fields['user'] as bigint, fields['pos'] as bigint)
  }
  if (message === 'user settled again from the log') {
    world.parking.healed(fields['user'] as bigint)
    if (fields['by'] === 'UserCorrection') world.reach('a Correction healed a user')
  }
  if (message.startsWith('money is not conserved'))
    world.violate('conservation raises no false alarm', `${life.name}: ${JSON.stringify(fields['problems'])}`)
}
