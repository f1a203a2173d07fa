-- The one clock by which leases and timers are judged. Tests replace this function to travel in time;
-- nothing else in the schema reads a clock.
CREATE FUNCTION engine_now() RETURNS timestamptz
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN statement_timestamp();
