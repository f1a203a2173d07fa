-- Typo tolerance is for where pg_trgm can be had; nothing depends on it.
DO $$
BEGIN
    CREATE EXTENSION IF NOT EXISTS pg_trgm;
EXCEPTION WHEN insufficient_privilege OR undefined_file OR feature_not_supported THEN
    RAISE NOTICE 'pg_trgm is not available: search goes without typo tolerance';
END $$;

-- The dictionary a language's texts are indexed and searched with.
CREATE FUNCTION text_config(language text) RETURNS regconfig LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN
    CASE language
        WHEN 'en' THEN 'pg_catalog.english'::regconfig
        WHEN 'de' THEN 'pg_catalog.german'::regconfig
        WHEN 'fr' THEN 'pg_catalog.french'::regconfig
        WHEN 'es' THEN 'pg_catalog.spanish'::regconfig
        WHEN 'pt' THEN 'pg_catalog.portuguese'::regconfig
        ELSE 'pg_catalog.simple'::regconfig
    END;

-- array_to_string depends on nothing but its arguments when these are texts, so this may call itself immutable.
CREATE FUNCTION joined(parts text[]) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT pg_catalog.array_to_string(parts, ' ') $$;

-- The knowledge base.
CREATE TABLE articles (
    id         text        PRIMARY KEY CHECK (id ~ '^[a-z0-9]([a-z0-9-]{0,98}[a-z0-9])?$'),
    title      text        NOT NULL CHECK (title <> ''),
    category   text        NOT NULL,
    language   text        NOT NULL CHECK (language ~ '^[a-z]{2}$'),
    keywords   text[]      NOT NULL,
    summary    text        NOT NULL,
    steps      text[]      NOT NULL,
    facts      text[]      NOT NULL,
    contact    text        NOT NULL,
    body       text        NOT NULL,
    source     text        NOT NULL CHECK (source IN ('shipped', 'imported')),
    updated_at timestamptz NOT NULL,
    tsv        tsvector    NOT NULL GENERATED ALWAYS AS (
        setweight(to_tsvector(text_config(language), title), 'A')
        || setweight(to_tsvector(text_config(language), joined(keywords)), 'A')
        || setweight(to_tsvector(text_config(language), summary), 'B')
        || setweight(to_tsvector(text_config(language), joined(steps || facts) || ' ' || contact), 'C')
    ) STORED
);

COMMENT ON COLUMN articles.id IS 'Slug by which drafts cite it';
COMMENT ON COLUMN articles.title IS 'Title';
COMMENT ON COLUMN articles.category IS 'Category of tickets it is for';
COMMENT ON COLUMN articles.language IS 'ISO 639-1 code of the language it is written in';
COMMENT ON COLUMN articles.keywords IS 'Words a customer might use for the matter';
COMMENT ON COLUMN articles.summary IS 'The answer in one paragraph';
COMMENT ON COLUMN articles.steps IS 'What the customer can do';
COMMENT ON COLUMN articles.facts IS 'What is good to know';
COMMENT ON COLUMN articles.contact IS 'When support has to be asked, and what it needs';
COMMENT ON COLUMN articles.body IS 'The whole article in Markdown, for people';
COMMENT ON COLUMN articles.source IS 'shipped: as the program brought it, and kept up to date by it; imported: somebody wrote or changed it';
COMMENT ON COLUMN articles.updated_at IS 'When it last changed';
COMMENT ON COLUMN articles.tsv IS 'What full-text search looks in: title and keywords weigh most, then the summary';

CREATE INDEX articles_tsv ON articles USING gin (tsv);
CREATE INDEX articles_category ON articles (category, id);
