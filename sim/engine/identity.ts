import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { replaceFile } from './journal/durable-files.ts'
import { SettingsError } from './settings.ts'

/** What decides every output: a journal goes on only with the settings that it was begun with. */
export type Identity = {
  readonly seed: string
  readonly users: string
  readonly flow: string
  readonly house: string
  readonly makerBp: string
  readonly takerBp: string
  readonly meanStepUs: string
  readonly startUs: string
}

const fileName = 'identity.json'

/**
 * The identity of the journal in `folder`: the one it was begun with, or `wanted` for a new one. `startUs` may be left
 * open (null): then a new journal starts at `nowUs`.
 * @throws SettingsError naming each setting that differs.
 */
export const keepIdentity = async (
  folder: string,
  wanted: Omit<Identity, 'startUs'> & { readonly startUs: string | null },
  nowUs: bigint,
): Promise<Identity> => {
  await mkdir(folder, { recursive: true })
  const path = join(folder, fileName)
  const kept = await readIdentity(path)
  if (!kept) {
    const identity = { ...wanted, startUs: wanted.startUs ?? `${nowUs}` }
    await replaceFile(path, `${JSON.stringify(identity, null, 2)}\n`)
    return identity
  }
  const problems = Object.entries(wanted)
    .filter(([name, value]) => value !== null && kept[name as keyof Identity] !== value)
    .map(
      ([name, value]) =>
        `${variableOf[name as keyof Identity]}: ${value}, but the journal in ${folder} was begun with ` +
        `${kept[name as keyof Identity]}; use that, or another ENGINE_DATA_DIR`,
    )
  if (problems.length > 0) throw new SettingsError(problems)
  return kept
}

const variableOf: Record<keyof Identity, string> = {
  seed: 'ENGINE_SEED',
  users: 'ENGINE_USERS',
  flow: 'ENGINE_FLOW_FILE',
  house: 'ENGINE_HOUSE',
  makerBp: 'ENGINE_MAKER_FEE_BP',
  takerBp: 'ENGINE_TAKER_FEE_BP',
  meanStepUs: 'ENGINE_MEAN_STEP_US',
  startUs: 'ENGINE_START_TIME',
}

const readIdentity = async (path: string): Promise<Identity | null> => {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as Identity
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw new Error(`${path} can't be read`, { cause })
  }
}
