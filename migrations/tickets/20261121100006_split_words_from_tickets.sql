-- A ticket's status, category and priority change while it is worked on, and with them every index of its row. Its words
-- never change: in a table of their own they are analysed and indexed once. What the steps found is read from the log.
CREATE TABLE ticket_words (
    bucket smallint NOT NULL CHECK (bucket BETWEEN 0 AND 255),
    id     uuid     NOT NULL,
    words  tsvector NOT NULL,
    PRIMARY KEY (bucket, id)
);

COMMENT ON TABLE ticket_words IS 'What a search for tickets looks in';
COMMENT ON COLUMN ticket_words.bucket IS 'Shard key: the last byte of the id';
COMMENT ON COLUMN ticket_words.id IS 'Id of the ticket';
COMMENT ON COLUMN ticket_words.words IS 'Words of subject and body';

INSERT INTO ticket_words SELECT bucket, id, to_tsvector('simple', subject || ' ' || body) FROM tickets;
CREATE INDEX ticket_words_words ON ticket_words USING gin (words);
DROP INDEX tickets_text;
ALTER TABLE tickets DROP COLUMN result;
