import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { commonSettings, kafkaSettings, parseSettings, setting, settingsProblem } from './settings.ts'

const problemsOf = (shape: z.ZodRawShape, env: Readonly<Record<string, string>>): readonly string[] => {
  try {
    parseSettings(shape, env)
  } catch (error) {
    expect(error).toMatchObject({ name: 'Stop', code: 'settings', reason: 'usage' })
    return (error as { readonly context: { readonly problems: readonly string[] } }).context.problems
  }
  return []
}

describe('settings', () => {
  it('have defaults, which unset and empty mean alike', () => {
    const defaults = {
      STREAM: 'demo',
      LOG_LEVEL: 'info',
      HTTP_HOST: '127.0.0.1',
      HTTP_PORT: 0,
      DRAIN_TIMEOUT_MS: 20_000,
      STOP_LINGER_MS: 15_000,
    }
    expect(parseSettings(commonSettings, { STREAM: 'demo' })).toEqual(defaults)
    const empty = { STREAM: 'demo', LOG_LEVEL: '', HTTP_HOST: '', HTTP_PORT: '', DRAIN_TIMEOUT_MS: '' }
    expect(parseSettings(commonSettings, empty)).toEqual(defaults)
  })

  it('are what the environment says, and nothing else of it is looked at', () => {
    const env = { STREAM: 'demo', LOG_LEVEL: 'warn', HTTP_PORT: '9100', PATH: '/bin' }
    expect(parseSettings(commonSettings, env)).toMatchObject({ LOG_LEVEL: 'warn', HTTP_PORT: 9100 })
    expect(parseSettings(commonSettings, env)).not.toHaveProperty('PATH')
  })

  it('that are wrong are reported all together, each with name, value and rule', () => {
    const env = { STREAM: 'Demo', LOG_LEVEL: 'loud', HTTP_PORT: '70000', DRAIN_TIMEOUT_MS: '1.5' }
    const problems = problemsOf({ ...commonSettings, ...kafkaSettings }, env)
    expect(problems).toEqual([
      'STREAM="Demo": must be a lower-case letter, then at most 30 of a–z, 0–9 and _',
      expect.stringMatching(/^LOG_LEVEL="loud": .*"debug"/),
      'HTTP_PORT="70000": must be at most 65535',
      'DRAIN_TIMEOUT_MS="1.5": must be a whole number from 100 to 600000',
      'KAFKA_BROKERS is not set',
    ])
  })

  it('that are secret are never shown, whatever is wrong with them', () => {
    const shape = { CQL_PASSWORD: z.string().max(3, 'too long'), API_SECRET: setting.integer({ min: 0, max: 9 }) }
    const env = { CQL_PASSWORD: 'hunter2', API_SECRET: 'sesame' }
    expect(problemsOf(shape, env)).toEqual([
      'CQL_PASSWORD=…: too long',
      'API_SECRET=…: must be a whole number from 0 to 9',
    ])
    expect(() => parseSettings(shape, env)).not.toThrow(/hunter2|sesame/)
  })

  it.each(['ENGINE_SECRET_KEY', 'KAFKA_SASL_PASSWORD', 'ENGINE_SERVER_KEY_SECRET'])(
    '%s is secret by its name',
    name => {
      expect(problemsOf({ [name]: z.string().max(1) }, { [name]: 'hunter2' }).join()).not.toContain('hunter2')
    },
  )
})

describe('a whole number', () => {
  const { N } = { N: setting.integer({ min: -2, max: 5 }) }
  it.each([
    ['-2', -2],
    ['0', 0],
    ['5', 5],
  ])('%s is taken', (text, value) => expect(parseSettings({ N }, { N: text })).toEqual({ N: value }))
  it.each(['-3', '6', 'x', '1e0', ' 1', '0x1', '1n'])('%j is not', text => {
    expect(problemsOf({ N }, { N: text })).toHaveLength(1)
  })
})

describe('lists and addresses', () => {
  it('are separated by commas', () => {
    const shape = { LIST: setting.list, AT: setting.addresses }
    expect(parseSettings(shape, { LIST: 'a, b,,', AT: 'one:1,two:22' })).toEqual({
      LIST: ['a', 'b'],
      AT: ['one:1', 'two:22'],
    })
  })
  it.each(['one', 'one:', ':1', 'one:1,', 'one:1 two:2', 'one:123456'])('%j is no address', AT => {
    expect(problemsOf({ AT: setting.addresses }, { AT })).toEqual([
      `AT=${JSON.stringify(AT)}: must be host:port, several separated by commas`,
    ])
  })
  it('a list of nothing is none', () => {
    expect(problemsOf({ LIST: setting.list }, { LIST: ' ,' })).toEqual(['LIST=" ,": must name at least one'])
  })
})

it('relations between settings are reported in the same form', () => {
  expect(settingsProblem(['A=1 must be below B=1']).message).toBe('a setting is wrong:\n  A=1 must be below B=1')
  expect(settingsProblem(['a', 'b']).message).toBe('2 settings are wrong:\n  a\n  b')
})
