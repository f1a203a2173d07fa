-- As before, but a month that cannot be split off now (rows of it went to the default partition, or the lock was not to
-- be had in time) keeps no other month from getting its partition. Rows in the default partition stay there: they are
-- found like any others.
CREATE OR REPLACE FUNCTION create_partitions(first timestamptz, months integer) RETURNS integer
    LANGUAGE plpgsql SET lock_timeout = '2s' AS $$
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
            CONTINUE WHEN to_regclass(child) IS NOT NULL;
            BEGIN
                EXECUTE format(
                    'CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)', child, parent,
                    uuid_at(month AT TIME ZONE 'UTC'),
                    uuid_at((month + interval '1 month') AT TIME ZONE 'UTC')
                );
                IF parent = 'run_events' THEN
                    EXECUTE format(
                        'CREATE TRIGGER run_events_no_truncate BEFORE TRUNCATE ON %I
                         FOR EACH STATEMENT EXECUTE FUNCTION refuse_log_truncation()', child
                    );
                END IF;
                created := created + 1;
            EXCEPTION WHEN check_violation OR lock_not_available THEN
                RAISE WARNING 'partition % was not created: %', child, SQLERRM;
            END;
        END LOOP;
    END LOOP;
    RETURN created;
END $$;
