-- Programs of several releases work on one schema while a new release is rolled out. A migration that only adds lets the
-- older ones work on. One that takes away what they use says so here, in the same transaction:
--     INSERT INTO schema_requirements (version, reason) VALUES (<its own version>, '<what it took away>');
-- A program that does not know a migration which stands here refuses to start.
CREATE TABLE schema_requirements (
    -- The migration that a program has to know.
    version bigint PRIMARY KEY,
    -- What those who do not know it would miss, for people.
    reason text NOT NULL
);
