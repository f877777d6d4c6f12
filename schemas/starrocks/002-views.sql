-- Opens and closes go by pos, then by the place in the output: trades of one output share time and pos.

CREATE VIEW IF NOT EXISTS candles_1m AS
SELECT
  symbol_id,
  date_trunc('minute', `time`) AS `time`,
  min_by(price, CAST(pos AS LARGEINT) * 1000000 + idx) AS `open`,
  max(price) AS `high`,
  min(price) AS `low`,
  max_by(price, CAST(pos AS LARGEINT) * 1000000 + idx) AS `close`,
  sum(quantity) AS `volume`,
  sum(quote_amount) AS quote_volume,
  count(*) AS trade_count
FROM trades
GROUP BY symbol_id, date_trunc('minute', `time`);

CREATE VIEW IF NOT EXISTS daily_volume AS
SELECT
  symbol_id,
  date_trunc('day', `time`) AS `day`,
  sum(quantity) AS `volume`,
  sum(quote_amount) AS quote_volume,
  count(*) AS trade_count
FROM trades
GROUP BY symbol_id, date_trunc('day', `time`);
