import { expect, test } from 'vitest'
import { DemoSettingsError, demoSettings } from './settings.ts'

test('the usual run, and empty variables are unset', () => {
  const usual = { orders: 20_000, users: 500, seed: '1', flowFile: null, partitions: 12 }
  expect(demoSettings({})).toEqual(usual)
  expect(demoSettings({ ORDERS: '', FLOW: '', SEED: '' })).toEqual(usual)
})

test('a flow file holds as many orders as it holds', () => {
  expect(demoSettings({ FLOW: import.meta.filename, USERS: '40' })).toMatchObject({
    orders: null,
    users: 40,
    flowFile: import.meta.filename,
  })
})

test('all problems together', () => {
  const read = (): unknown => demoSettings({ ORDERS: '0', USERS: 'x', SEED: '-1', FLOW: '/nowhere', PARTITIONS: '1.5' })
  expect(read).toThrow(DemoSettingsError)
  for (const word of ['ORDERS=0', 'USERS=x', 'SEED=-1', 'FLOW=/nowhere: is no file', 'PARTITIONS=1.5'])
    expect(read).toThrow(word)
})
