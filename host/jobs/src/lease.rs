//! Leases: which process may work on a job, and what it may save.
//!
//! Each claim gives a lease with a new number. A change under a lease takes effect only while the
//! job still has that number, so a process that was thought dead, or was suspended, can't change
//! anything.

use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Transaction, params};

use crate::job_store::{JobStore, TransactionError, optional};
use crate::record::{JobId, JobRecord};
use crate::state_error::StateError;

/// How long a lease lasts unless it is renewed. A process that dies on this machine is noticed at
/// once; this is for a process that hangs, or for another machine that uses the same folder.
pub(crate) const LEASE: Duration = Duration::from_secs(60);

/// The right to work on a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Lease {
    pub(crate) id: JobId,
    token: i64,
}

/// The result of a claim.
#[derive(Debug)]
pub(crate) enum Claim {
    /// The job now belongs to this process.
    Claimed(Lease, Box<JobRecord>),
    /// Another process is working on it.
    Held,
    /// It is finished.
    Finished(Box<JobRecord>),
    /// Its next step is not due, or no longer due.
    NotDue,
}

/// What the store knows of a lease.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum LeaseStatus {
    /// This process has the job.
    Held,
    /// This process has the job, which is to be cancelled.
    CancelRequested,
    /// Another process has the job.
    Lost,
}

impl JobStore {
    /// Claims a job, if no other process is working on it.
    pub(crate) fn claim(
        &self,
        id: &JobId,
        owner: &str,
        now: Timestamp,
        only_if_due: bool,
    ) -> Result<Claim, StateError> {
        self.write(|transaction| {
            let mut records = self.records(transaction, "WHERE id = ?1", [&id.0])?;
            let Some(record) = records.pop() else {
                return Err(StateError::UnknownJob(id.0.clone()).into());
            };
            match &record.holder {
                _ if record.state.is_finished() => return Ok(Claim::Finished(Box::new(record))),
                Some(holder) if holder.owner != owner && record.is_held(now) => {
                    return Ok(Claim::Held);
                }
                _ if only_if_due && record.wake_at.is_none_or(|at| at > now) => {
                    return Ok(Claim::NotDue);
                }
                _ => {}
            }
            let token = take_lease(transaction, id, owner, now)?;
            Ok(Claim::Claimed(Lease { id: id.clone(), token }, Box::new(record)))
        })
    }

    /// Whether the lease still holds, and whether the job is to be cancelled.
    pub(crate) fn lease_status(&self, lease: &Lease) -> Result<LeaseStatus, StateError> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT lease_token, cancel_requested FROM export_jobs WHERE id = ?1",
            )?;
            let row =
                statement.query_row([&lease.id.0], |row| Ok((row.get::<_, i64>(0)?, row.get(1)?)));
            Ok(match optional(row)? {
                Some((token, false)) if token == lease.token => LeaseStatus::Held,
                Some((token, true)) if token == lease.token => LeaseStatus::CancelRequested,
                _ => LeaseStatus::Lost,
            })
        })
    }

    /// Renews the lease.
    pub(crate) fn renew(&self, lease: &Lease, now: Timestamp) -> Result<(), StateError> {
        self.under(lease, |transaction| {
            transaction.execute(
                "UPDATE export_jobs SET lease_until = ?2 WHERE id = ?1",
                params![lease.id.0, lease_end(now)],
            )?;
            Ok(())
        })
    }

    /// Takes a name in the store, unless another unfinished job has it.
    pub(crate) fn take_name(&self, lease: &Lease, name: &str) -> Result<bool, StateError> {
        self.under(lease, |transaction| {
            let taken = transaction.execute(
                "UPDATE OR IGNORE export_jobs SET object = ?2 WHERE id = ?1",
                params![lease.id.0, name],
            )?;
            Ok(taken > 0)
        })
    }

    /// Changes a job in one transaction, if the lease still holds.
    pub(crate) fn under<T>(
        &self,
        lease: &Lease,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, TransactionError>,
    ) -> Result<T, StateError> {
        self.write(|transaction| {
            let mut statement =
                transaction.prepare_cached("SELECT lease_token FROM export_jobs WHERE id = ?1")?;
            let token = statement.query_row([&lease.id.0], |row| row.get::<_, i64>(0));
            if optional(token)? != Some(lease.token) {
                return Err(StateError::LeaseLost(lease.id.clone()).into());
            }
            work(transaction)
        })
    }
}

/// Gives a process the lease on a job.
fn take_lease(
    transaction: &Transaction<'_>,
    id: &JobId,
    owner: &str,
    now: Timestamp,
) -> Result<i64, TransactionError> {
    Ok(transaction.query_row(
        "UPDATE export_jobs SET lease_owner = ?2, lease_until = ?3, lease_token = lease_token + 1 \
         WHERE id = ?1 RETURNING lease_token",
        params![id.0, owner, lease_end(now)],
        |row| row.get(0),
    )?)
}

/// Like [`take_lease`], where there is an owner.
pub(crate) fn lease_to(
    transaction: &Transaction<'_>,
    id: &JobId,
    owner: Option<&str>,
    now: Timestamp,
) -> Result<(), TransactionError> {
    match owner {
        Some(owner) => take_lease(transaction, id, owner, now).map(drop),
        None => Ok(()),
    }
}

/// When a lease ends that begins now, in milliseconds since 1970.
pub(crate) fn lease_end(now: Timestamp) -> i64 {
    now.as_millisecond().saturating_add(LEASE.as_millis() as i64)
}

/// Without its owner, a lease is void.
pub(crate) fn release(
    transaction: &Transaction<'_>,
    lease: &Lease,
) -> Result<(), TransactionError> {
    transaction.execute(
        "UPDATE export_jobs SET lease_owner = NULL, lease_until = NULL WHERE id = ?1",
        [&lease.id.0],
    )?;
    Ok(())
}
