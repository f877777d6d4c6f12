/** What must hold in every world: a violation, and the mutant that one catches, name theirs. */
export type Check =
  | 'the log is the journal'
  | "balances are the engine's"
  | "open orders are the engine's"
  | 'settle verify finds no difference'
  | 'each quorum has the same'
  | 'offsets are committed at barriers'
  | 'what is committed survives a loss of power'
  | 'exactly those are parked who must be'
  | 'a cell is what the engine had'
  | 'a cell carries its own pos'
  | 'a balance has its history'
  | 'one key, one pos, two values'
  | 'conservation raises no false alarm'
  | 'everything is drained'
  | 'services end when asked'
  | 'no service stops for good without a reason'
  | 'no service has a bug'
  | 'the world has no bug'
