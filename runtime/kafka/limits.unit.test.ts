import { expect, it } from 'vitest'
import { checkKafkaLimits, kafkaLimits } from './limits.ts'

it('the limits fit together', () => {
  expect(checkKafkaLimits(kafkaLimits)).toBe(kafkaLimits)
})

it.each([
  [{ commitMs: 10_001 }, 'commitMs=10001 must be at most transactionMs=10000'],
  [{ requestMs: 5001 }, 'requestMs=5001 must be at most half of commitMs=10000'],
  [{ openWriterMs: 14_999 }, 'connectMs=3000 and three times requestMs=4000 must fit into openWriterMs=14999'],
  [{ askMs: 10_999 }, 'connectMs=3000 and two times requestMs=4000 must fit into askMs=10999'],
  [{ joinMs: 14_999 }, 'askMs=15000 must be at most joinMs=14999'],
  [{ maxRecordsPerWriter: 2 ** 31 }, 'maxRecordsPerWriter=2147483648 must be below 2^31'],
])('%j does not fit', (changed, problem) => {
  expect(() => checkKafkaLimits({ ...kafkaLimits, ...changed })).toThrow(problem)
})
