import { clearLine, cursorTo } from 'node:readline'

const everyMs = 100

/** One line of a terminal, written over again and again; nothing where the stream is no terminal. */
export const liveLine = (out: NodeJS.WriteStream): ((text: string | null) => void) => {
  if (!out.isTTY) return () => {}
  let shownAtMs = -everyMs
  return text => {
    const nowMs = performance.now()
    if (text !== null && nowMs - shownAtMs < everyMs) return
    shownAtMs = text === null ? -everyMs : nowMs
    cursorTo(out, 0)
    clearLine(out, 0)
    if (text !== null) out.write(text.slice(0, out.columns - 1))
  }
}
