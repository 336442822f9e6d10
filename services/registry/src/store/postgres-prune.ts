/** Oldest final tasks that one look at what may go considers. */
const lookMax = 2_000;

/**
 * Deletes final tasks that ended before $2, at most $4, requests from before $3, and sets older than $2 that are left empty; answers with the keys
 * of the tasks. Only while the epoch is still $1.
 *
 * In order of their last change, which is that of their ends as long as the wall clock only goes forward; where it jumped, one look steps over up
 * to {@link lookMax} that seem to have ended in the future.
 */
export const pruneStatement = `WITH
  led AS (SELECT 1 FROM leader WHERE id = 1 AND epoch = $1 FOR SHARE),
  oldest AS (SELECT ord, end_ms FROM tasks WHERE NOT live ORDER BY revision LIMIT ${lookMax}),
  ended AS (SELECT ord FROM led, oldest WHERE end_ms < $2 LIMIT $4),
  tasks_gone AS (DELETE FROM tasks WHERE ord IN (SELECT ord FROM ended) RETURNING ord, key),
  requests_gone AS (DELETE FROM requests USING led WHERE time_ms < $3),
  sets_gone AS (
    DELETE FROM sets USING led WHERE create_ms < $2
      AND NOT EXISTS (SELECT 1 FROM tasks WHERE tasks.set_id = sets.set_id AND tasks.ord NOT IN (SELECT ord FROM ended)))
  SELECT key FROM tasks_gone`;
