import { describe, expect, it } from 'vitest'
import { curveKeyPair } from 'zeromq'
import { isLocalAddress } from './protocol/address.ts'
import { isCurveKey, toZ85 } from './protocol/z85.ts'
import { readSettings, SettingsError } from './settings.ts'

const problemsOf = (environment: Record<string, string>): readonly string[] => {
  try {
    readSettings({ ENGINE_DATA_DIR: '/data', ...environment })
    return []
  } catch (error) {
    if (error instanceof SettingsError) return error.problems
    throw error
  }
}

describe('settings', () => {
  it('need a folder, and have defaults for the rest', () => {
    expect(() => readSettings({})).toThrow('ENGINE_DATA_DIR: is not set')
    expect(readSettings({ ENGINE_DATA_DIR: '/data', ENGINE_SEED: '', OTHER: 'x' })).toMatchObject({
      ...{ folder: '/data', dumpFile: '/data/dump.json', seed: 1n, users: 500, orders: 20_000, liveMode: 'pub' },
      ...{ maxUnacked: 20_000, curve: null, startUs: null },
    })
  })

  it('report all problems together', () => {
    const problems = problemsOf({
      ...{ ENGINE_SEED: '-1', ENGINE_USRES: '5', ENGINE_USERS: '1', ENGINE_LIVE_MODE: 'radio', ENGINE_STREAM: 'A B' },
      ...{ ENGINE_SYMBOLS: 'BTC-USDT,DOGE-USDT', ENGINE_LIVE_ADDRESS: 'here', ENGINE_START_TIME: 'soon' },
    })
    expect(problems.join('\n')).toMatchInlineSnapshot(`
      "ENGINE_USRES: no such setting
      ENGINE_STREAM: "A B" is not a name of up to 32 of a-z, 0-9 and _, a letter first
      ENGINE_SEED: "-1" is not an integer from 0 to 2^63 - 1
      ENGINE_USERS: "1" is not an integer from 2 to 10000000
      ENGINE_SYMBOLS: DOGE-USDT: not among BTC-USDT, ETH-USDT, ETH-BTC, SOL-USDT, SOL-BTC
      ENGINE_START_TIME: "soon" is neither an ISO time nor microseconds since 1970
      ENGINE_LIVE_MODE: "radio" is not one of pub, push
      ENGINE_LIVE_ADDRESS: "here" is not an address such as tcp://127.0.0.1:5555"
    `)
  })

  it("do not take the bridge's variables for misspelt ones", () => {
    expect(problemsOf({ ENGINE_LIVE: 'sub:tcp://127.0.0.1:5555', ENGINE_PLAIN: 'refused' })).toEqual([])
  })

  it('take as many orders as a flow file holds, unless told otherwise', () => {
    expect(readSettings({ ENGINE_DATA_DIR: '/d', ENGINE_FLOW_FILE: 'f' }).orders).toBeNull()
    expect(readSettings({ ENGINE_DATA_DIR: '/d', ENGINE_FLOW_FILE: 'f', ENGINE_ORDERS: '7' }).orders).toBe(7)
  })

  it('read a start time both ways', () => {
    const startOf = (text: string) => readSettings({ ENGINE_DATA_DIR: '/d', ENGINE_START_TIME: text }).startUs
    expect(startOf('2026-01-01T00:00:00Z')).toBe(1_767_225_600_000_000n)
    expect(startOf('1767225600000000')).toBe(1_767_225_600_000_000n)
  })

  it('name the changes that are kept to itself', () => {
    const { unsaid } = readSettings({ ENGINE_DATA_DIR: '/d', ENGINE_SKIP_CHANGES: '7/1/2, 9/2/1' })
    expect(unsaid).toEqual([
      { user: 7n, asset: 1, version: 2n },
      { user: 9n, asset: 2, version: 1n },
    ])
    expect(problemsOf({ ENGINE_SKIP_CHANGES: '7/1' })).toEqual([
      'ENGINE_SKIP_CHANGES: "7/1" is not <user>/<asset>/<version>, each a number',
    ])
  })

  it('keep the house apart from the users', () => {
    expect(problemsOf({ ENGINE_HOUSE: '500' })).toEqual([
      'ENGINE_HOUSE: 500 is one of the 500 users; choose a higher one',
    ])
  })

  it('leave this machine only with keys, or when told so', () => {
    const outside = { ENGINE_REPLAY_ADDRESS: 'tcp://0.0.0.0:5556' }
    const { publicKey, secretKey } = curveKeyPair()
    expect(problemsOf(outside)).toEqual([
      'ENGINE_REPLAY_ADDRESS: tcp://0.0.0.0:5556 is not loopback; set ENGINE_CURVE_SECRET_KEY, or ENGINE_UNENCRYPTED=anywhere',
    ])
    expect(problemsOf({ ...outside, ENGINE_UNENCRYPTED: 'anywhere' })).toEqual([])
    expect(problemsOf({ ...outside, ENGINE_CURVE_SECRET_KEY: secretKey, ENGINE_CURVE_CLIENT_KEYS: publicKey })).toEqual(
      [],
    )
    expect(problemsOf({ ENGINE_CURVE_SECRET_KEY: secretKey }).join()).toContain('nobody could connect')
    expect(problemsOf({ ENGINE_CURVE_CLIENT_KEYS: publicKey }).join()).toContain('would protect nothing')
  })
})

describe('an address', () => {
  it.each([
    ['tcp://127.0.0.1:1', true],
    ['tcp://127.9.9.9:*', true],
    ['tcp://localhost:1', true],
    ['tcp://[::1]:1', true],
    ['inproc://x', true],
    ['ipc:///tmp/x', true],
    ['tcp://0.0.0.0:1', false],
    ['tcp://*:1', false],
    ['tcp://10.0.0.1:1', false],
    ['tcp://127.0.0.1.example.com:1', false],
  ])('%s is local: %s', (address, isLocal) => expect(isLocalAddress(address)).toBe(isLocal))
})

describe('Z85', () => {
  it('is what RFC 32 says', () => {
    expect(toZ85(Buffer.from([0x86, 0x4f, 0xd2, 0x6f, 0xb5, 0x59, 0xf7, 0x5b]))).toBe('HelloWorld')
    expect(isCurveKey(curveKeyPair().publicKey)).toBe(true)
    expect(isCurveKey('short')).toBe(false)
    expect(isCurveKey('"'.repeat(40))).toBe(false)
  })
})
