//! The two reconcile loops: which object is next, and when one is tried again.

use std::collections::HashMap;
use std::fmt::Debug;
use std::future::Future;
use std::hash::Hash;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::channel::mpsc::UnboundedReceiver;
use kube::Resource;
use kube::runtime::Controller;
use kube::runtime::controller::{Action, Config};
use kube::runtime::reflector::{ObjectRef, Store};
use parking_lot::Mutex;
use serde::de::DeserializeOwned;
use tokio_util::sync::CancellationToken;

use super::context::Context;
use super::error::ReconcileError;
use super::{load_balance_group, model_provider};
use crate::moment::Monotonic;
use crate::telemetry::{Kind, Metrics, Outcome};

/// Objects of one kind that are worked on at the same time.
const CONCURRENCY: u16 = 8;
/// Without any change, every object is looked at again after this long: what a watch may have missed is mended then.
const RESYNC: Duration = Duration::from_secs(600);
const FIRST_RETRY: Duration = Duration::from_millis(500);
const LAST_RETRY: Duration = Duration::from_secs(60);

/// What one loop carries through its passes.
struct Loop<K: Resource<DynamicType = ()>, F> {
    context: Arc<Context>,
    metrics: Metrics,
    kind: Kind,
    pass: F,
    failures: Mutex<HashMap<ObjectRef<K>, u32>>,
}

/// Runs both loops until they are told to stop: then the passes that are under way end.
pub async fn run(
    context: Arc<Context>,
    metrics: Metrics,
    providers: UnboundedReceiver<ObjectRef<keypool_crds::v1alpha1::ModelProvider>>,
    groups: UnboundedReceiver<ObjectRef<keypool_crds::v1alpha1::LoadBalanceGroup>>,
    stop: CancellationToken,
) {
    let stores = context.stores.clone();
    let provider_pass = |context: Arc<Context>, object| async move {
        model_provider::reconcile::reconcile(&context, object).await
    };
    let group_pass = |context: Arc<Context>, object| async move {
        load_balance_group::reconcile::reconcile(&context, object).await
    };
    let of_providers = each(
        Arc::clone(&context),
        metrics.clone(),
        Kind::ModelProvider,
        stores.providers,
        providers,
        provider_pass,
        stop.clone(),
    );
    let of_groups = each(
        context,
        metrics,
        Kind::LoadBalanceGroup,
        stores.groups,
        groups,
        group_pass,
        stop,
    );
    tokio::join!(of_providers, of_groups);
}

async fn each<K, F, P>(
    context: Arc<Context>,
    metrics: Metrics,
    kind: Kind,
    store: Store<K>,
    wakes: UnboundedReceiver<ObjectRef<K>>,
    pass: F,
    stop: CancellationToken,
) where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
    F: Fn(Arc<Context>, Arc<K>) -> P + Send + Sync + 'static,
    P: Future<Output = Result<Option<Monotonic>, ReconcileError>> + Send + 'static,
{
    let shared = Arc::new(Loop {
        context,
        metrics,
        kind,
        pass,
        failures: Mutex::default(),
    });
    // Every trigger comes by way of `wakes`, from watches that have a backoff each and hand on no errors.
    let nothing = futures::stream::pending();
    Controller::for_stream(nothing, store)
        .with_config(Config::default().concurrency(CONCURRENCY))
        .reconcile_on(wakes)
        .graceful_shutdown_on(stop.cancelled_owned())
        .run(Loop::reconcile, Loop::after_failure, shared)
        .for_each(|result| {
            if let Err(error) = result {
                // An object that is gone when its turn comes, or a failed pass that was told of already.
                tracing::debug!(%error, "a pass did not end well");
            }
            std::future::ready(())
        })
        .await;
}

impl<K, F, P> Loop<K, F>
where
    K: Resource<DynamicType = ()> + Clone + Debug + Send + Sync + 'static,
    ObjectRef<K>: Hash + Eq,
    F: Fn(Arc<Context>, Arc<K>) -> P,
    P: Future<Output = Result<Option<Monotonic>, ReconcileError>>,
{
    async fn reconcile(object: Arc<K>, this: Arc<Self>) -> Result<Action, ReconcileError> {
        let began = Instant::now();
        let result = (this.pass)(Arc::clone(&this.context), Arc::clone(&object)).await;
        let outcome = if result.is_ok() {
            Outcome::Done
        } else {
            Outcome::Failed
        };
        this.metrics.reconciled(this.kind, outcome, began.elapsed());
        let again = result?;
        this.failures.lock().remove(&ObjectRef::from_obj(object.as_ref()));
        let now = this.context.clock.now().monotonic;
        let due = again.map(|at| Duration::from_millis(now.until_ms(at)));
        Ok(Action::requeue(due.map_or(RESYNC, |due| {
            due.min(RESYNC).max(Duration::from_millis(100))
        })))
    }

    fn after_failure(object: Arc<K>, error: &ReconcileError, this: Arc<Self>) -> Action {
        let object = ObjectRef::from_obj(object.as_ref());
        let mut failures = this.failures.lock();
        let failed = failures.entry(object.clone()).or_default();
        let pause = FIRST_RETRY.saturating_mul(1 << (*failed).min(10)).min(LAST_RETRY);
        *failed = failed.saturating_add(1);
        tracing::warn!(%object, %error, again_in_seconds = pause.as_secs_f64(), "a pass failed");
        Action::requeue(pause)
    }
}
