import { expect, it } from 'vitest'
import { type Ack, Acks } from './acks.ts'

const line = (epoch: string, seq: string) => ({ kind: 'ack', session: { epoch, random: '7' }, seq })

it('keeps the highest of each session, and tells whoever waits of what is new only', () => {
  const acks = new Acks()
  const told: Ack[] = []
  const wait = () => acks.atNext(ack => told.push(ack))
  acks.read(line('1', '5'))
  wait()
  acks.read(line('1', '5'))
  acks.read({ kind: 'progress', outputs: 9 })
  expect(told).toEqual([])
  acks.read(line('1', '6'))
  acks.read(line('1', '8'))
  const stopWaiting = wait()
  stopWaiting()
  acks.read(line('2', '1'))
  expect(told).toEqual([{ epoch: 1n, random: 7n, seq: 6n }])
  expect([...acks.highest.keys()]).toEqual(['1/7', '2/7'])
  expect(acks.highest.get('1/7')?.seq).toBe(8n)
  expect(acks.count).toBe(5)
})
