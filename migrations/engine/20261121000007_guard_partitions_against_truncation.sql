-- A trigger on TRUNCATE is not inherited: without one of its own, a partition of the log could be emptied directly.
CREATE TRIGGER run_events_no_truncate BEFORE TRUNCATE ON run_events_default
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_log_truncation();

-- As before, and each new partition of the log refuses to be truncated.
CREATE OR REPLACE FUNCTION create_partitions(first timestamptz, months integer) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    created integer := 0;
    month timestamp;
    parent text;
    child text;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('ticketflow.create_partitions'));
    FOR offset_months IN 0 .. months - 1 LOOP
        month := date_trunc('month', first AT TIME ZONE 'UTC') + make_interval(months => offset_months);
        FOREACH parent IN ARRAY ARRAY['runs', 'run_events'] LOOP
            child := parent || to_char(month, '_YYYY_MM');
            IF to_regclass(child) IS NULL THEN
                EXECUTE format(
                    'CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)', child, parent,
                    uuid_at(month AT TIME ZONE 'UTC'),
                    uuid_at((month + interval '1 month') AT TIME ZONE 'UTC')
                );
                created := created + 1;
                IF parent = 'run_events' THEN
                    EXECUTE format(
                        'CREATE TRIGGER run_events_no_truncate BEFORE TRUNCATE ON %I
                         FOR EACH STATEMENT EXECUTE FUNCTION refuse_log_truncation()', child
                    );
                END IF;
            END IF;
        END LOOP;
    END LOOP;
    RETURN created;
END $$;

-- The partitions that exist already.
DO $$
DECLARE
    child regclass;
BEGIN
    FOR child IN
        SELECT inhrelid FROM pg_inherits
        WHERE inhparent = 'run_events'::regclass AND inhrelid <> 'run_events_default'::regclass
    LOOP
        EXECUTE format(
            'CREATE TRIGGER run_events_no_truncate BEFORE TRUNCATE ON %s
             FOR EACH STATEMENT EXECUTE FUNCTION refuse_log_truncation()', child
        );
    END LOOP;
END $$;
