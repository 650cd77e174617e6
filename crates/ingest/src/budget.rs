//! One budget of memory for everything that is being received, so that many large requests cannot take the machine.

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes are counted in units of this size.
const UNIT: usize = 64 << 10;

/// Memory that requests share. Whoever needs more than is left waits, and is refused after a while.
#[derive(Debug, Clone)]
pub struct MemoryBudget {
    units: Arc<Semaphore>,
    units_max: usize,
    wait_max: Duration,
    metrics: BudgetMetrics,
}

#[derive(Debug, Clone, Default)]
struct BudgetMetrics {
    used: Gauge,
    exhausted: Counter,
}

/// The budget was used up for longer than a request waits: answered with 503, the sender comes again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the memory for requests is used up")]
pub struct Exhausted;

/// Memory taken from a budget; given back when dropped.
#[derive(Debug)]
pub struct Share {
    budget: MemoryBudget,
    permit: Option<OwnedSemaphorePermit>,
}

impl MemoryBudget {
    /// A budget of `bytes`, for which a request waits at most `wait_max`.
    pub fn new(bytes: usize, wait_max: Duration) -> Self {
        let units_max = bytes.div_ceil(UNIT).clamp(1, u32::MAX as usize);
        Self { units: Arc::new(Semaphore::new(units_max)), units_max, wait_max, metrics: BudgetMetrics::default() }
    }

    /// Names its metrics.
    pub fn register(&self, registry: &mut Registry) {
        let used = "Bytes of memory held by requests that are being received";
        registry.register("receive_memory_bytes", used, self.metrics.used.clone());
        let exhausted = "Requests refused because receive_memory_max was used up";
        registry.register("receive_memory_exhausted", exhausted, self.metrics.exhausted.clone());
    }

    /// Takes `bytes`, or waits for them. More than the whole budget is taken as the whole budget: it is then alone.
    ///
    /// # Errors
    /// [`Exhausted`] when the wait was in vain.
    pub async fn take(&self, bytes: usize) -> Result<Share, Exhausted> {
        let mut share = Share { budget: self.clone(), permit: None };
        share.cover(bytes).await?;
        Ok(share)
    }
}

impl Share {
    /// Makes the share at least `bytes` large.
    ///
    /// # Errors
    /// [`Exhausted`] when the wait was in vain; the share stays as it is.
    pub async fn cover(&mut self, bytes: usize) -> Result<(), Exhausted> {
        let held = self.held();
        let wanted = bytes.div_ceil(UNIT).min(self.budget.units_max);
        let Some(missing) = wanted.checked_sub(held).filter(|missing| *missing > 0) else { return Ok(()) };
        let missing = u32::try_from(missing).unwrap_or(u32::MAX);
        let more = Arc::clone(&self.budget.units).acquire_many_owned(missing);
        let Ok(Ok(more)) = tokio::time::timeout(self.budget.wait_max, more).await else {
            self.budget.metrics.exhausted.inc();
            return Err(Exhausted);
        };
        self.budget.metrics.used.inc_by(i64::from(missing) * UNIT as i64);
        match &mut self.permit {
            Some(permit) => permit.merge(more),
            None => self.permit = Some(more),
        }
        Ok(())
    }

    fn held(&self) -> usize {
        self.permit.as_ref().map_or(0, OwnedSemaphorePermit::num_permits)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.metrics.used.dec_by((self.held() * UNIT) as i64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn shares_are_given_back() {
        let budget = MemoryBudget::new(4 * UNIT, Duration::from_millis(20));
        let mut first = budget.take(UNIT).await.unwrap();
        first.cover(3 * UNIT).await.unwrap();
        assert_eq!(budget.take(2 * UNIT).await.unwrap_err(), Exhausted);
        assert_eq!(budget.metrics.used.get(), 3 * UNIT as i64);
        drop(first);
        let whole = budget.take(100 * UNIT).await.unwrap();
        assert_eq!(whole.held(), 4);
        drop(whole);
        assert_eq!(budget.metrics.used.get(), 0);
    }
}
