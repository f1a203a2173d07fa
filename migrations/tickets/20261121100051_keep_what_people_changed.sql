-- How far people's replies and judgements are from the program's: for statistics, and to learn from.
ALTER TABLE tickets
    ADD COLUMN edit_distance double precision CHECK (edit_distance BETWEEN 0 AND 1),
    ADD COLUMN corrected     jsonb            CHECK (jsonb_typeof(corrected) = 'object');

COMMENT ON COLUMN tickets.edit_distance IS
    'How much of the draft a person changed for the reply: Levenshtein distance by the longer text; NULL: no person settled it';
COMMENT ON COLUMN tickets.corrected IS
    'What agents corrected, by field: what was predicted, what it was before and is now; NULL: nothing';

-- A row gets into it by a person's hand alone, so it stays small.
CREATE INDEX tickets_corrected ON tickets (bucket, id) WHERE corrected IS NOT NULL;
