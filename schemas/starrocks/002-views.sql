-- Materialized views, each made anew every minute where its tables changed: partitioned by day like the tables, so that
-- StarRocks makes only those days anew. Whoever needs the last second asks the tables.
--
-- Opens and closes go by pos, then by the place in the output: trades of one output share time and pos.

CREATE MATERIALIZED VIEW IF NOT EXISTS candles_1m
COMMENT "trades of each symbol by minute; price and quantity in whole units"
PARTITION BY `day`
DISTRIBUTED BY HASH (symbol_id)
REFRESH ASYNC EVERY (INTERVAL 1 MINUTE)
PROPERTIES ("replication_num" = "1")
AS SELECT
  t.symbol_id AS symbol_id,
  date_trunc('day', t.`time`) AS `day`,
  date_trunc('minute', t.`time`) AS `time`,
  min_by(t.price, CAST(t.pos AS LARGEINT) * 1000000 + t.idx) AS `open`,
  max(t.price) AS `high`,
  min(t.price) AS `low`,
  max_by(t.price, CAST(t.pos AS LARGEINT) * 1000000 + t.idx) AS `close`,
  sum(t.quantity) AS `volume`,
  sum(t.quote_amount) AS quote_volume,
  count(*) AS trade_count
FROM trades t
GROUP BY t.symbol_id, date_trunc('day', t.`time`), date_trunc('minute', t.`time`);

CREATE MATERIALIZED VIEW IF NOT EXISTS candles_1h
COMMENT "trades of each symbol by hour; price and quantity in whole units"
PARTITION BY `day`
DISTRIBUTED BY HASH (symbol_id)
REFRESH ASYNC EVERY (INTERVAL 1 MINUTE)
PROPERTIES ("replication_num" = "1")
AS SELECT
  t.symbol_id AS symbol_id,
  date_trunc('day', t.`time`) AS `day`,
  date_trunc('hour', t.`time`) AS `time`,
  min_by(t.price, CAST(t.pos AS LARGEINT) * 1000000 + t.idx) AS `open`,
  max(t.price) AS `high`,
  min(t.price) AS `low`,
  max_by(t.price, CAST(t.pos AS LARGEINT) * 1000000 + t.idx) AS `close`,
  sum(t.quantity) AS `volume`,
  sum(t.quote_amount) AS quote_volume,
  count(*) AS trade_count
FROM trades t
GROUP BY t.symbol_id, date_trunc('day', t.`time`), date_trunc('hour', t.`time`);

CREATE MATERIALIZED VIEW IF NOT EXISTS candles_1d
COMMENT "trades of each symbol by day; price and quantity in whole units"
PARTITION BY `day`
DISTRIBUTED BY HASH (symbol_id)
REFRESH ASYNC EVERY (INTERVAL 1 MINUTE)
PROPERTIES ("replication_num" = "1")
AS SELECT
  t.symbol_id AS symbol_id,
  date_trunc('day', t.`time`) AS `day`,
  min_by(t.price, CAST(t.pos AS LARGEINT) * 1000000 + t.idx) AS `open`,
  max(t.price) AS `high`,
  min(t.price) AS `low`,
  max_by(t.price, CAST(t.pos AS LARGEINT) * 1000000 + t.idx) AS `close`,
  max_by(t.price_units, CAST(t.pos AS LARGEINT) * 1000000 + t.idx) AS close_units,
  sum(t.quantity) AS `volume`,
  sum(t.quote_amount) AS quote_volume,
  count(*) AS trade_count
FROM trades t
GROUP BY t.symbol_id, date_trunc('day', t.`time`);

CREATE MATERIALIZED VIEW IF NOT EXISTS daily_volume
COMMENT "what was traded of each symbol by day, in whole units"
PARTITION BY `day`
DISTRIBUTED BY HASH (symbol_id)
REFRESH ASYNC EVERY (INTERVAL 1 MINUTE)
PROPERTIES ("replication_num" = "1")
AS SELECT
  t.symbol_id AS symbol_id,
  date_trunc('day', t.`time`) AS `day`,
  sum(t.quantity) AS `volume`,
  sum(t.quote_amount) AS quote_volume,
  count(*) AS trade_count
FROM trades t
GROUP BY t.symbol_id, date_trunc('day', t.`time`);

CREATE MATERIALIZED VIEW IF NOT EXISTS daily_fees
COMMENT "fees of both sides of each symbol's trades by day and by the asset they were paid in"
PARTITION BY `day`
DISTRIBUTED BY HASH (symbol_id)
REFRESH ASYNC EVERY (INTERVAL 1 MINUTE)
PROPERTIES ("replication_num" = "1")
AS SELECT
  t.symbol_id AS symbol_id,
  date_trunc('day', t.`time`) AS `day`,
  t.fee_asset_id AS fee_asset_id,
  sum(t.fee) AS fees,
  sum(CAST(t.fee_units AS LARGEINT)) AS fees_units
FROM user_trades t
GROUP BY t.symbol_id, date_trunc('day', t.`time`), t.fee_asset_id;

CREATE MATERIALIZED VIEW IF NOT EXISTS user_daily
COMMENT "what each user traded of each symbol by day, in smallest units; user_pnl adds it up"
PARTITION BY `day`
DISTRIBUTED BY HASH (user_id)
REFRESH ASYNC EVERY (INTERVAL 1 MINUTE)
PROPERTIES ("replication_num" = "1")
AS SELECT
  t.user_id AS user_id,
  t.symbol_id AS symbol_id,
  date_trunc('day', t.`time`) AS `day`,
  count(*) AS trade_count,
  sum(CAST(CASE WHEN t.side = 'Buy' THEN t.quantity_units ELSE 0 END AS LARGEINT)) AS bought_units,
  sum(CAST(CASE WHEN t.side = 'Sell' THEN t.quantity_units ELSE 0 END AS LARGEINT)) AS sold_units,
  sum(CAST(CASE WHEN t.side = 'Buy' THEN t.quote_amount_units ELSE 0 END AS LARGEINT)) AS paid_units,
  sum(CAST(CASE WHEN t.side = 'Sell' THEN t.quote_amount_units ELSE 0 END AS LARGEINT)) AS received_units,
  sum(CAST(CASE WHEN t.fee_asset_id = s.base_asset_id THEN t.fee_units ELSE 0 END AS LARGEINT)) AS base_fee_units,
  sum(CAST(CASE WHEN t.fee_asset_id = s.quote_asset_id THEN t.fee_units ELSE 0 END AS LARGEINT)) AS quote_fee_units,
  sum(CASE WHEN t.fee_asset_id IN (s.base_asset_id, s.quote_asset_id) THEN 0 ELSE 1 END) AS other_fee_count
FROM user_trades t
JOIN symbols s ON s.symbol_id = t.symbol_id
GROUP BY t.user_id, t.symbol_id, date_trunc('day', t.`time`);

-- Position times price in smallest units: the product of two DECIMAL(38, 18) has no room for digits before the point.
CREATE MATERIALIZED VIEW IF NOT EXISTS user_pnl
COMMENT "each user's result in each symbol since the first trade, in quote units: received - paid - fees + position x last price"
DISTRIBUTED BY HASH (user_id)
REFRESH ASYNC EVERY (INTERVAL 1 MINUTE)
PROPERTIES ("replication_num" = "1")
AS SELECT
  p.user_id AS user_id,
  p.symbol_id AS symbol_id,
  p.trade_count AS trade_count,
  CAST(p.received_units AS DECIMAL(38, 0)) * q.unit AS received,
  CAST(p.paid_units AS DECIMAL(38, 0)) * q.unit AS paid,
  CAST(p.quote_fee_units AS DECIMAL(38, 0)) * q.unit AS quote_fees,
  CAST(p.base_fee_units AS DECIMAL(38, 0)) * b.unit AS base_fees,
  CAST(p.position_units AS DECIMAL(38, 0)) * b.unit AS `position`,
  l.last_price AS last_price,
  CAST(p.position_units * l.last_price_units DIV s.lot_units AS DECIMAL(38, 0)) * q.unit AS position_value,
  CAST(p.received_units - p.paid_units - p.quote_fee_units
    + (p.position_units * l.last_price_units DIV s.lot_units) AS DECIMAL(38, 0)) * q.unit AS pnl,
  p.received_units - p.paid_units - p.quote_fee_units
    + (p.position_units * l.last_price_units DIV s.lot_units) AS pnl_units,
  p.position_units AS position_units,
  p.other_fee_count AS other_fee_count
FROM (
  SELECT
    d.user_id AS user_id,
    d.symbol_id AS symbol_id,
    sum(d.trade_count) AS trade_count,
    sum(d.received_units) AS received_units,
    sum(d.paid_units) AS paid_units,
    sum(d.base_fee_units) AS base_fee_units,
    sum(d.quote_fee_units) AS quote_fee_units,
    sum(d.bought_units) - sum(d.sold_units) - sum(d.base_fee_units) AS position_units,
    sum(d.other_fee_count) AS other_fee_count
  FROM user_daily d
  GROUP BY d.user_id, d.symbol_id
) p
JOIN (
  SELECT
    c.symbol_id AS symbol_id,
    max_by(c.`close`, c.`day`) AS last_price,
    max_by(c.close_units, c.`day`) AS last_price_units
  FROM candles_1d c
  GROUP BY c.symbol_id
) l ON l.symbol_id = p.symbol_id
JOIN symbols s ON s.symbol_id = p.symbol_id
JOIN assets b ON b.asset_id = s.base_asset_id
JOIN assets q ON q.asset_id = s.quote_asset_id;
