-- Every search reads the whole list of entries that wait to be sorted in: research searches once per ticket, so the
-- list is kept short.
ALTER INDEX tickets_text SET (gin_pending_list_limit = 512);
