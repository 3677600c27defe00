//! Who owns which work, in the database.

use crate::store::ownership::OwnerToken;
use sqlx::PgConnection;

/// Claims work until a time, in milliseconds like `now`: keeps what is ours already, and takes what nobody has. `None`:
/// another node has it.
pub(super) async fn claim(
    connection: &mut PgConnection,
    (work, node): (&str, &str),
    ours: Option<OwnerToken>,
    (now, until): (i64, i64),
) -> Result<Option<OwnerToken>, sqlx::Error> {
    if let Some(token) = ours
        && renew(connection, work, token, until).await?
    {
        return Ok(ours);
    }
    take(connection, (work, node), (now, until)).await
}

/// Nobody else had it since it was last claimed under this token: then it is ours still, even if its time is over.
async fn renew(
    connection: &mut PgConnection,
    work: &str,
    token: OwnerToken,
    until: i64,
) -> Result<bool, sqlx::Error> {
    let renewed = sqlx::query("UPDATE ownership SET until = $3 WHERE work = $1 AND token = $2")
        .bind(work)
        .bind(token.0)
        .bind(until)
        .execute(connection)
        .await?;
    Ok(renewed.rows_affected() > 0)
}

/// Of two that take it at once, the second finds it taken.
async fn take(
    connection: &mut PgConnection,
    (work, node): (&str, &str),
    (now, until): (i64, i64),
) -> Result<Option<OwnerToken>, sqlx::Error> {
    let token: Option<i64> = sqlx::query_scalar(
        "INSERT INTO ownership AS o (work, node, token, until)
         SELECT $1, $2, nextval('owner_token'), $4
         WHERE NOT EXISTS (SELECT FROM ownership WHERE work = $1 AND until > $3)
         ON CONFLICT (work) DO UPDATE
            SET node = excluded.node, token = excluded.token, until = excluded.until
            WHERE o.until <= $3
         RETURNING token",
    )
    .bind(work)
    .bind(node)
    .bind(now)
    .bind(until)
    .fetch_optional(connection)
    .await?;
    Ok(token.map(OwnerToken))
}

/// Gives work up, unless another has it already.
pub(super) async fn give_up(
    connection: &mut PgConnection,
    work: &str,
    token: OwnerToken,
) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM ownership WHERE work = $1 AND token = $2")
        .bind(work)
        .bind(token.0)
        .execute(connection)
        .await
        .map(drop)
}

/// Whether work is owned under this token; if so, nobody takes it before this transaction ends.
pub(super) async fn is_owner(
    connection: &mut PgConnection,
    work: &str,
    token: OwnerToken,
) -> Result<bool, sqlx::Error> {
    let owned: Option<i32> =
        sqlx::query_scalar("SELECT 1 FROM ownership WHERE work = $1 AND token = $2 FOR SHARE")
            .bind(work)
            .bind(token.0)
            .fetch_optional(connection)
            .await?;
    Ok(owned.is_some())
}
