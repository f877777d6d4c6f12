/** One thing that is not as in a whole archive. */
export type Finding = {
  readonly kind: FindingKind
  /** Below the folder that was given. */
  readonly file: string
  /** Of the file's text, the header is the first; null: it is about the whole file. */
  readonly line: number | null
  /** What was expected and what was found. */
  readonly problem: string
}

const findingKinds = ['missing', 'changed', 'foreign', 'chain', 'log'] as const
type FindingKind = (typeof findingKinds)[number]

export type OnFinding = (finding: Finding) => void

const again =
  'take it from another copy of this archive; while Kafka still holds the log, the archive writes it again: docs/archive.md, "When a folder is not whole"'

/** What whoever finds it does about it. */
export const wayOut = ({ kind }: Finding): string => {
  switch (kind) {
    case 'missing':
    case 'changed':
      return again
    case 'foreign':
      return 'move it out of the archive; only finished files of one stream and one number of partitions belong there'
    case 'chain':
      return `a window before it is missing, changed or of another archive: ${again}`
    case 'log':
      return 'no bridge of ours wrote such a log: compare with another copy, and with the engine’s journal'
  }
}

/** `file line 7: problem` */
export const findingText = ({ file, line, problem }: Finding): string =>
  `${file}${line === null ? '' : ` line ${line}`}: ${problem}`
