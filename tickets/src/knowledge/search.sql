WITH word AS (
    -- Each word in the ticket's language and in English; what is a stop word in the ticket's language says nothing.
    SELECT given.word, own.query || plainto_tsquery('english', given.word) AS query
    FROM unnest($1::text[]) AS given (word), plainto_tsquery(text_config($2), given.word) AS own (query)
    WHERE numnode(own.query) > 0
), hit AS (
    SELECT a.id, word.word, ts_rank_cd('{0.1, 0.3, 0.6, 1}', a.tsv, word.query) AS rank,
           -- A word that stands in few articles says more than one that stands in most.
           ln(1 + (SELECT count(*) FROM articles)::float8 / count(*) OVER (PARTITION BY word.word)) AS rarity
    FROM word JOIN articles AS a ON a.tsv @@ word.query
), scored AS (
    SELECT id, sum(rarity * least(rank, 2)) AS score,
           (array_agg(word ORDER BY rarity * least(rank, 2) DESC, word))[1:4] AS shared
    FROM hit GROUP BY id
), best AS (
    SELECT a.*, scored.shared,
           scored.score * CASE WHEN a.category = $3 THEN 1.5 ELSE 1 END
               * CASE a.language WHEN $2 THEN 1.4 WHEN 'en' THEN 1 ELSE 0.5 END AS points
    FROM scored JOIN articles AS a USING (id)
    ORDER BY points DESC, a.id LIMIT $4
)
SELECT best.id, best.title, best.category, best.language, best.keywords, best.summary, best.steps, best.facts,
       best.contact, best.source, best.updated_at, best.shared AS "shared!", best.points AS "points!",
       passage.text AS "snippet!"
FROM best, LATERAL (
    -- The passage that has most of the shared words.
    SELECT part.text FROM unnest(ARRAY[best.summary] || best.steps || best.facts) WITH ORDINALITY AS part (text, position)
    ORDER BY (
        SELECT count(*) FROM unnest(best.shared) AS word
        WHERE to_tsvector(text_config(best.language), part.text) @@ plainto_tsquery(text_config(best.language), word)
    ) DESC, part.position
    LIMIT 1
) AS passage
ORDER BY best.points DESC, best.id
