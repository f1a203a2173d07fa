-- What retention dropped. The log of a month is gone as a whole; this says that policy did it, and keeps in mind what
-- read models still have to forget.
CREATE TABLE retirements (
    low         uuid        PRIMARY KEY,
    high        uuid        NOT NULL,
    runs        bigint      NOT NULL CHECK (runs >= 0),
    dropped_at  timestamptz NOT NULL,
    next_bucket smallint    NOT NULL DEFAULT 0 CHECK (next_bucket BETWEEN 0 AND 256),
    CHECK (low < high)
);

COMMENT ON COLUMN retirements.low IS 'Ids from here on were dropped';
COMMENT ON COLUMN retirements.high IS 'Ids below this were dropped';
COMMENT ON COLUMN retirements.runs IS 'How many runs that were';
COMMENT ON COLUMN retirements.dropped_at IS 'When';
COMMENT ON COLUMN retirements.next_bucket IS 'First bucket in which rows that name these runs may be left; 256: none are';

-- Drops the partitions of the oldest month that ended before `before` and holds no live run; returns whether there was
-- one. While the parents are locked nothing moves: what takes time is done before, each of the four locks is waited for
-- no longer than lock_timeout, and a month that is not dropped after all gives them back at once.
CREATE FUNCTION retire_month(before timestamptz) RETURNS boolean
    LANGUAGE plpgsql SET lock_timeout = '200ms' AS $$
DECLARE
    child text;
    month timestamp;
    lowest uuid;
    highest uuid;
    held bigint;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('ticketflow.create_partitions'));
    FOR child IN
        SELECT right(relname, 7) FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
        WHERE inhparent = 'runs'::regclass AND relname ~ '^runs_\d{4}_\d{2}$'
        ORDER BY relname
    LOOP
        month := make_date(left(child, 4)::integer, right(child, 2)::integer, 1);
        lowest := uuid_at(month AT TIME ZONE 'UTC');
        highest := uuid_at((month + interval '1 month') AT TIME ZONE 'UTC');
        EXIT WHEN highest > uuid_at(before);
        -- The log of such a month went to the default partition, which keeps its rows.
        CONTINUE WHEN to_regclass('run_events_' || child) IS NULL;
        CONTINUE WHEN EXISTS (SELECT FROM live_runs WHERE id >= lowest AND id < highest);
        EXECUTE format('SELECT count(*) FROM %I', 'runs_' || child) INTO held;
        BEGIN
            LOCK TABLE ONLY runs, ONLY run_events IN ACCESS EXCLUSIVE MODE;
            EXECUTE format('LOCK TABLE %I, %I IN ACCESS EXCLUSIVE MODE', 'runs_' || child, 'run_events_' || child);
            -- As long as its header was there a run may have been resumed. Raised, for that takes the locks back.
            IF EXISTS (SELECT FROM live_runs WHERE id >= lowest AND id < highest) THEN
                RAISE EXCEPTION USING ERRCODE = 'TF001', MESSAGE = 'it holds a run that was resumed';
            END IF;
            EXECUTE format('DROP TABLE %I, %I', 'runs_' || child, 'run_events_' || child);
            INSERT INTO retirements AS known (low, high, runs, dropped_at)
            VALUES (lowest, highest, held, engine_now())
            ON CONFLICT (low) DO UPDATE
            SET runs = known.runs + EXCLUDED.runs, dropped_at = EXCLUDED.dropped_at, next_bucket = 0;
            RETURN true;
        EXCEPTION WHEN lock_not_available OR deadlock_detected OR SQLSTATE 'TF001' THEN
            RAISE WARNING 'month % was not dropped: %', child, SQLERRM;
        END;
    END LOOP;
    RETURN false;
END $$;
