-- A history of `history.records` records over the twelve months before now, all of them delivered and in the ledger.
-- Run it on a migrated database that nothing was stored in, as the role that owns it.
DO $$
DECLARE
    month timestamp;
    name  text;
BEGIN
    FOR back IN 0..12 LOOP
        month := date_trunc('month', now() AT TIME ZONE 'UTC') - make_interval(months => back);
        FOREACH name IN ARRAY ARRAY['callback_page', 'note', 'record', 'send', 'attempt', 'dedupe_key'] LOOP
            EXECUTE format(
                'CREATE TABLE IF NOT EXISTS %I PARTITION OF %I FOR VALUES FROM (%s) TO (%s)',
                name || to_char(month, '_YYYY_MM'), name, extract(epoch FROM month)::bigint * 1000,
                extract(epoch FROM month + interval '1 month')::bigint * 1000);
        END LOOP;
    END LOOP;
END $$;
CREATE TEMPORARY TABLE one AS
    SELECT n, (extract(epoch FROM now()) * 1000)::bigint - 365 * 86400000::bigint
        + 364 * 86400000::bigint * n / current_setting('history.records')::bigint AS at
    FROM generate_series(1, current_setting('history.records')::bigint) AS n;
INSERT INTO lane (name) VALUES ('platform') ON CONFLICT DO NOTHING;
INSERT INTO record (seq, id, revision, callback, received_at, urgent, level, account, caller, sealed)
    SELECT n, (lpad(to_hex(at), 12, '0') || '7' || substr(md5('r' || n), 1, 3) || '8'
            || substr(md5('r' || n), 4, 15))::uuid,
        1, n, at, (n % 50 = 0)::int, 1 + n % 5, 'aliyun-sms', md5('c' || n % 1000000)::uuid,
        convert_to(repeat(md5(n::text), 9), 'UTF8')
    FROM one;
INSERT INTO dedupe_key SELECT md5('k' || n)::uuid, n, at FROM one;
INSERT INTO callback_page
    SELECT n, 30, at, convert_to(repeat(md5(n::text), 40), 'UTF8') FROM one WHERE n % 30 = 1;
INSERT INTO note (callback, item, account, received_at, outcome)
    SELECT n, 0, 'aliyun-sms', at, 'noted' FROM one WHERE n % 20 = 0;
INSERT INTO send SELECT n / 30, (SELECT id FROM lane WHERE name = 'platform'), at, 12, 200, '{"code":0}' FROM one WHERE n % 30 = 0;
INSERT INTO attempt SELECT (SELECT id FROM lane WHERE name = 'platform'), n, n / 30, at, 1, 1 FROM one;
INSERT INTO memory SELECT md5('m' || n)::uuid, NULL, convert_to(repeat(md5(n::text), 9), 'UTF8')
    FROM one WHERE n % 10 = 0;
INSERT INTO message
    (id, lane, state, due_at, token, attempts, in_doubt, queued_at, expires, ended_at, sealed)
    SELECT md5('s' || n)::uuid, 'aliyun-sms', 1, at, 0, 1, 0, at, at + 3600000, at,
        convert_to(repeat(md5(n::text), 6), 'UTF8')
    FROM one WHERE n % 20 = 0;
INSERT INTO ledger (hour, account, callbacks, records, first_seq, last_seq)
    SELECT at / 3600000, 'aliyun-sms', count(*), count(*), min(n), max(n) FROM one GROUP BY 1;
INSERT INTO ledger_lane
    SELECT at / 3600000, 'aliyun-sms', (SELECT id FROM lane WHERE name = 'platform'), 1, count(*) FROM one GROUP BY 1;
UPDATE place SET callback = 1 + current_setting('history.records')::bigint,
    record = 1 + current_setting('history.records')::bigint;
UPDATE lane SET ledger_seq = current_setting('history.records')::bigint;
UPDATE ledger_fold SET pages_to = current_setting('history.records')::bigint,
    notes_to = current_setting('history.records')::bigint,
    records_to = current_setting('history.records')::bigint;
SELECT setval('send_id', 1 + current_setting('history.records')::bigint / 30);
DROP TABLE one;
