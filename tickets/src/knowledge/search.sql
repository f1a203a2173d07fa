WITH word AS MATERIALIZED (
    -- Each word in the ticket's language and in English; what is a stop word in the ticket's language says nothing.
    -- The words are letters and digits, so that quoting their lexemes is all it takes.
    SELECT given.word, (
               SELECT string_agg(quote_literal(lexeme), ' | ')::tsquery
               FROM unnest(own.lexemes || tsvector_to_array(to_tsvector('english', given.word))) AS lexeme
           ) AS query
    FROM unnest($1::text[]) AS given (word),
        LATERAL (SELECT tsvector_to_array(to_tsvector(text_config($2), given.word))) AS own (lexemes)
    WHERE own.lexemes <> '{}'
), hit AS (
    SELECT a.id, word.word, ts_rank_cd('{0.1, 0.3, 0.6, 1}', a.tsv, word.query) AS rank,
           -- A word that stands in few articles says more than one that stands in most.
           ln(1 + (SELECT count(*) FROM articles)::float8 / count(*) OVER (PARTITION BY word.word)) AS rarity
    FROM word JOIN articles AS a ON a.tsv @@ word.query
), scored AS (
    SELECT id, sum(rarity * least(rank, 2)) AS score,
           (array_agg(word ORDER BY rarity * least(rank, 2) DESC, word))[1:4] AS shared
    FROM hit GROUP BY id
)
SELECT a.id, a.title, a.category, a.language, a.keywords, a.summary, a.steps, a.facts, a.contact, a.source,
       a.updated_at, scored.shared AS "shared!",
       scored.score * CASE WHEN a.category = $3 THEN 1.5 ELSE 1 END
           * CASE a.language WHEN $2 THEN 1.4 WHEN 'en' THEN 1 ELSE 0.5 END AS "points!"
FROM scored JOIN articles AS a USING (id)
ORDER BY "points!" DESC, a.id LIMIT $4
