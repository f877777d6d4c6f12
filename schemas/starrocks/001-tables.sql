-- What analysts query: one database per stream, each table a view of the log that can be dropped and loaded again.
--
-- Amounts stand twice in every row. `quantity` is what people read, in whole units, exact to 18 digits; `quantity_units`
-- is the same amount in the asset's smallest unit, as the engine counts it (a price: quote smallest units per lot).
-- `time` is the engine's time in UTC with microseconds; `pos` and `idx` (the place within the engine's output) order
-- what happened. Ids are the engine's; names are in `assets` and `symbols`. The sum of a `_units` column over many rows may
-- outgrow a BIGINT: sum(CAST(quantity_units AS LARGEINT)).

CREATE TABLE IF NOT EXISTS schema_version (
  `version` INT NOT NULL COMMENT "number of the migration",
  `name` VARCHAR(128) NOT NULL COMMENT "file of the migration",
  sha256 VARCHAR(64) NOT NULL COMMENT "of the file as it was applied"
)
PRIMARY KEY (`version`)
COMMENT "migrations applied to this database"
DISTRIBUTED BY HASH (`version`) BUCKETS 1
PROPERTIES ("replication_num" = "1");

CREATE TABLE IF NOT EXISTS stream_meta (
  `name` VARCHAR(64) NOT NULL COMMENT "stream, partitions or house",
  `value` VARCHAR(128) NOT NULL COMMENT "name of the stream, partitions of its user.outputs, or the user that receives fees",
  pos BIGINT NOT NULL COMMENT "position of the record that said it; 0 when it was said at creation"
)
PRIMARY KEY (`name`)
COMMENT "what this database belongs to"
DISTRIBUTED BY HASH (`name`) BUCKETS 1
PROPERTIES ("replication_num" = "1");

CREATE TABLE IF NOT EXISTS assets (
  asset_id INT NOT NULL COMMENT "the engine's number",
  `name` VARCHAR(256) NOT NULL COMMENT "as last told by the engine",
  decimals INT NOT NULL COMMENT "one whole unit is 10^decimals smallest units; never changes",
  unit DECIMAL(38, 18) NOT NULL COMMENT "one smallest unit in whole units: a sum of smallest units times it is exact",
  pos BIGINT NOT NULL COMMENT "position of the record that said it last"
)
PRIMARY KEY (asset_id)
COMMENT "assets, latest reference data; loads merge by pos"
DISTRIBUTED BY HASH (asset_id) BUCKETS 1
PROPERTIES ("replication_num" = "1");

CREATE TABLE IF NOT EXISTS symbols (
  symbol_id INT NOT NULL COMMENT "the engine's number",
  `name` VARCHAR(256) NOT NULL COMMENT "as last told by the engine",
  base_asset_id INT NOT NULL COMMENT "what is traded; quantities are in it",
  quote_asset_id INT NOT NULL COMMENT "what is paid; prices are in it",
  lot_units BIGINT NOT NULL COMMENT "base smallest units in one lot; a price_units is per lot",
  price_scale INT NOT NULL COMMENT "digits after the point when a price is shown",
  quantity_scale INT NOT NULL COMMENT "digits after the point when a quantity is shown",
  since_pos BIGINT NOT NULL COMMENT "position of the record that said it first",
  pos BIGINT NOT NULL COMMENT "position of the record that said it last"
)
PRIMARY KEY (symbol_id)
COMMENT "traded pairs, latest reference data; loads merge by pos"
DISTRIBUTED BY HASH (symbol_id) BUCKETS 1
PROPERTIES ("replication_num" = "1");

CREATE TABLE IF NOT EXISTS trades (
  trade_id BIGINT NOT NULL COMMENT "the engine's number",
  `time` DATETIME NOT NULL COMMENT "engine's time, UTC",
  symbol_id INT NOT NULL COMMENT "see symbols",
  price DECIMAL(38, 18) NOT NULL COMMENT "whole quote units per whole base unit",
  quantity DECIMAL(38, 18) NOT NULL COMMENT "whole base units",
  quote_amount DECIMAL(38, 18) NOT NULL COMMENT "whole quote units that changed hands",
  taker_side VARCHAR(4) NOT NULL COMMENT "Buy or Sell: who crossed the spread",
  buyer_id BIGINT NOT NULL COMMENT "user",
  seller_id BIGINT NOT NULL COMMENT "user",
  buy_order_id BIGINT NOT NULL COMMENT "see orders",
  sell_order_id BIGINT NOT NULL COMMENT "see orders",
  buy_fee DECIMAL(38, 18) NOT NULL COMMENT "whole units of buy_fee_asset_id, paid by the buyer to the house",
  buy_fee_asset_id INT NOT NULL COMMENT "see assets",
  sell_fee DECIMAL(38, 18) NOT NULL COMMENT "whole units of sell_fee_asset_id, paid by the seller to the house",
  sell_fee_asset_id INT NOT NULL COMMENT "see assets",
  price_units BIGINT NOT NULL COMMENT "quote smallest units per lot",
  quantity_units BIGINT NOT NULL COMMENT "base smallest units",
  quote_amount_units BIGINT NOT NULL COMMENT "quote smallest units",
  buy_fee_units BIGINT NOT NULL COMMENT "smallest units of buy_fee_asset_id",
  sell_fee_units BIGINT NOT NULL COMMENT "smallest units of sell_fee_asset_id",
  pos BIGINT NOT NULL COMMENT "position in the log",
  idx INT NOT NULL COMMENT "place among the trades of the output"
)
PRIMARY KEY (trade_id, `time`)
COMMENT "one row per trade"
PARTITION BY date_trunc('day', `time`)
DISTRIBUTED BY HASH (trade_id)
ORDER BY (symbol_id, `time`)
PROPERTIES ("replication_num" = "1");

CREATE TABLE IF NOT EXISTS user_trades (
  trade_id BIGINT NOT NULL COMMENT "see trades",
  user_id BIGINT NOT NULL COMMENT "whose side of the trade this is",
  side VARCHAR(4) NOT NULL COMMENT "Buy or Sell",
  `time` DATETIME NOT NULL COMMENT "engine's time, UTC",
  symbol_id INT NOT NULL COMMENT "see symbols",
  order_id BIGINT NOT NULL COMMENT "the user's order",
  role VARCHAR(5) NOT NULL COMMENT "Maker or Taker",
  price DECIMAL(38, 18) NOT NULL COMMENT "whole quote units per whole base unit",
  quantity DECIMAL(38, 18) NOT NULL COMMENT "whole base units",
  quote_amount DECIMAL(38, 18) NOT NULL COMMENT "whole quote units that changed hands",
  fee DECIMAL(38, 18) NOT NULL COMMENT "whole units of fee_asset_id, paid by the user to the house",
  fee_asset_id INT NOT NULL COMMENT "see assets",
  price_units BIGINT NOT NULL COMMENT "quote smallest units per lot",
  quantity_units BIGINT NOT NULL COMMENT "base smallest units",
  quote_amount_units BIGINT NOT NULL COMMENT "quote smallest units",
  fee_units BIGINT NOT NULL COMMENT "smallest units of fee_asset_id",
  pos BIGINT NOT NULL COMMENT "position in the log",
  idx INT NOT NULL COMMENT "place among the trades of the output"
)
PRIMARY KEY (trade_id, user_id, side, `time`)
COMMENT "two rows per trade: the buyer's and the seller's"
PARTITION BY date_trunc('day', `time`)
DISTRIBUTED BY HASH (user_id)
ORDER BY (user_id, `time`)
PROPERTIES ("replication_num" = "1");

CREATE TABLE IF NOT EXISTS orders (
  order_id BIGINT NOT NULL COMMENT "the engine's number",
  user_id BIGINT NOT NULL COMMENT "whose order",
  symbol_id INT NOT NULL COMMENT "see symbols; an order before the symbol's since_pos was Rejected, its amounts in whole units are NULL",
  side VARCHAR(4) NOT NULL COMMENT "Buy or Sell",
  `type` VARCHAR(6) NOT NULL COMMENT "Limit or Market",
  time_in_force VARCHAR(17) NOT NULL COMMENT "GoodTillCancel or ImmediateOrCancel",
  state VARCHAR(15) NOT NULL COMMENT "New, PartiallyFilled, Filled, Cancelled, Rejected or Expired",
  price DECIMAL(38, 18) NULL COMMENT "whole quote units per whole base unit; NULL for a market order, and before the symbol was known",
  quantity DECIMAL(38, 18) NULL COMMENT "whole base units the order is for; a reduction lowers it",
  filled DECIMAL(38, 18) NULL COMMENT "whole base units",
  remaining DECIMAL(38, 18) NULL COMMENT "whole base units that may still fill; 0 once closed",
  price_units BIGINT NULL COMMENT "quote smallest units per lot; NULL for a market order",
  quantity_units BIGINT NOT NULL COMMENT "base smallest units",
  filled_units BIGINT NOT NULL COMMENT "base smallest units",
  remaining_units BIGINT NOT NULL COMMENT "base smallest units",
  reason STRING NOT NULL COMMENT "why it was rejected, cancelled or expired; empty otherwise",
  `time` DATETIME NOT NULL COMMENT "engine's time of the last change, UTC",
  pos BIGINT NOT NULL COMMENT "position in the log of the last change",
  idx INT NOT NULL COMMENT "place among the order updates of the output"
)
PRIMARY KEY (order_id)
COMMENT "every order as it is now; loads merge by pos"
DISTRIBUTED BY HASH (order_id)
ORDER BY (user_id, order_id)
PROPERTIES ("replication_num" = "1");

CREATE TABLE IF NOT EXISTS order_events (
  order_id BIGINT NOT NULL COMMENT "see orders",
  pos BIGINT NOT NULL COMMENT "position in the log",
  idx INT NOT NULL COMMENT "place among the order updates of the output",
  `time` DATETIME NOT NULL COMMENT "engine's time, UTC",
  user_id BIGINT NOT NULL COMMENT "whose order",
  symbol_id INT NOT NULL COMMENT "see symbols; an order before the symbol's since_pos was Rejected, its amounts in whole units are NULL",
  side VARCHAR(4) NOT NULL COMMENT "Buy or Sell",
  `type` VARCHAR(6) NOT NULL COMMENT "Limit or Market",
  time_in_force VARCHAR(17) NOT NULL COMMENT "GoodTillCancel or ImmediateOrCancel",
  state VARCHAR(15) NOT NULL COMMENT "New, PartiallyFilled, Filled, Cancelled, Rejected or Expired",
  price DECIMAL(38, 18) NULL COMMENT "whole quote units per whole base unit; NULL for a market order, and before the symbol was known",
  quantity DECIMAL(38, 18) NULL COMMENT "whole base units the order is for",
  filled DECIMAL(38, 18) NULL COMMENT "whole base units filled by then",
  remaining DECIMAL(38, 18) NULL COMMENT "whole base units that might still fill then",
  price_units BIGINT NULL COMMENT "quote smallest units per lot; NULL for a market order",
  quantity_units BIGINT NOT NULL COMMENT "base smallest units",
  filled_units BIGINT NOT NULL COMMENT "base smallest units",
  remaining_units BIGINT NOT NULL COMMENT "base smallest units",
  reason STRING NOT NULL COMMENT "why it was rejected, cancelled or expired; empty otherwise"
)
PRIMARY KEY (order_id, pos, idx, `time`)
COMMENT "every change of every order, of makers and takers alike"
PARTITION BY date_trunc('day', `time`)
DISTRIBUTED BY HASH (order_id)
PROPERTIES ("replication_num" = "1");

CREATE TABLE IF NOT EXISTS ledger (
  user_id BIGINT NOT NULL COMMENT "whose balance",
  asset_id INT NOT NULL COMMENT "see assets",
  `version` BIGINT NOT NULL COMMENT "counts the changes of this user and asset: 1, 2, 3 … without holes",
  `time` DATETIME NOT NULL COMMENT "engine's time, UTC; of an operator's correction, the time in pos",
  reason VARCHAR(10) NOT NULL COMMENT "Deposit, Withdrawal, Correction, Reserve, Release, Trade or Fee",
  ref_id BIGINT NOT NULL COMMENT "trade (Trade, Fee), order (Reserve, Release) or transfer that caused it; 0 for a correction",
  delta_available DECIMAL(38, 18) NOT NULL COMMENT "whole units",
  delta_frozen DECIMAL(38, 18) NOT NULL COMMENT "whole units",
  available DECIMAL(38, 18) NOT NULL COMMENT "whole units after the change",
  frozen DECIMAL(38, 18) NOT NULL COMMENT "whole units after the change",
  delta_available_units BIGINT NOT NULL COMMENT "smallest units",
  delta_frozen_units BIGINT NOT NULL COMMENT "smallest units",
  available_units BIGINT NOT NULL COMMENT "smallest units",
  frozen_units BIGINT NOT NULL COMMENT "smallest units",
  pos BIGINT NOT NULL COMMENT "position in the log",
  idx INT NOT NULL COMMENT "place among the balance changes of the output; 0 for a correction"
)
PRIMARY KEY (user_id, asset_id, `version`, `time`)
COMMENT "every posting as the engine or an operator's correction said it, with the balance after it"
PARTITION BY date_trunc('day', `time`)
DISTRIBUTED BY HASH (user_id)
PROPERTIES ("replication_num" = "1");

CREATE TABLE IF NOT EXISTS balances (
  user_id BIGINT NOT NULL COMMENT "whose balance",
  asset_id INT NOT NULL COMMENT "see assets",
  available DECIMAL(38, 18) NOT NULL COMMENT "whole units",
  frozen DECIMAL(38, 18) NOT NULL COMMENT "whole units held by open orders",
  available_units BIGINT NOT NULL COMMENT "smallest units",
  frozen_units BIGINT NOT NULL COMMENT "smallest units",
  `version` BIGINT NOT NULL COMMENT "of the ledger's row that made it so",
  `time` DATETIME NOT NULL COMMENT "engine's time of the last change, UTC; of an operator's correction, the time in pos",
  pos BIGINT NOT NULL COMMENT "position in the log of the last change"
)
PRIMARY KEY (user_id, asset_id)
COMMENT "every balance as it is now, by the last posting; loads merge by version"
DISTRIBUTED BY HASH (user_id)
PROPERTIES ("replication_num" = "1");
