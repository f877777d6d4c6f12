const mostTurns = 50_000

/** Waits, turn by turn of the event loop, until a condition holds. Throws with `what` when it never does. */
export const eventually = async (what: string, condition: () => boolean | Promise<boolean>): Promise<void> => {
  for (let turn = 0; !(await condition()); turn++) {
    if (turn === mostTurns) throw new Error(`not after ${turn} turns: ${what}`)
    await new Promise(resolve => setImmediate(resolve))
  }
}
