//! Starts the parts of a stack in order: files, ports, template, functions, sources, doors.

use std::collections::{BTreeMap, HashSet};
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::serve::ListenerExt;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::options::{Data, Options};
use super::{Running, Stack};
use crate::bus::{Bus, Outlet};
use crate::clock::Clock;
use crate::data_dir::DataDir;
use crate::engine::Engine;
use crate::error::{Context, Result, StackError};
use crate::functions::{Functions, Launch, Pool, Watchdog, build};
use crate::gateway::Gateway;
use crate::queue::QueueStore;
use crate::queue::http::SqsEndpoint;
use crate::schedule::{Scheduler, keep_clock, kept_clock};
use crate::secrets::Secrets;
use crate::sources::{self, Delivered};
use crate::template::{Function, Locality, REGION, Target, Template};
use crate::zalo::{StandIn, Zalo};
use crate::{local_api, services};

/// Processes of one function that may run at once. More than the two cores of a small machine,
/// because a function mostly waits for the queue or the tables.
const INSTANCES_MAX: u32 = 4;
/// Batches of one queue under way at once, unless the template allows fewer.
const QUEUE_CONCURRENCY: u32 = 2;

/// By what name functions that send are told where the stack's clock is read.
const CLOCK_URL: &str = "LOYALTY_CLOCK_URL";

/// By what name functions that show or change members are told whether to ask for a token.
const ACCESS: &str = "ACCESS";

/// The function that sends messages.
const SENDER: &str = "send-messages";

/// Where messages go that Zalo does not take, and what they are signed with; neither unless the environment has both.
const OUTGOING_WEBHOOK: [&str; 2] = ["OUTGOING_WEBHOOK_URL", "OUTGOING_WEBHOOK_SECRET"];

struct Listeners {
    http: TcpListener,
    dynamodb: TcpListener,
    services: TcpListener,
}

pub async fn start(options: Options) -> Result<Stack> {
    options.check()?;
    let data = match &options.data {
        Data::Directory(path) => DataDir::open(path)?,
        Data::Ephemeral => DataDir::temporary()?,
    };
    let listeners = Listeners {
        http: listen(options.port, "HTTP", "--port")?,
        dynamodb: listen(options.dynamodb_port, "DynamoDB", "--dynamodb-port")?,
        services: listen(options.services_port, "SQS and EventBridge", "--services-port")?,
    };
    let clock = Arc::new(Clock::default());
    let store = QueueStore::open(&data.queues(), Arc::clone(&clock))?;
    set_clock(&options, &clock, &store).await?;
    let programme = options.programme()?;
    let settle_seconds = options.settle_seconds.unwrap_or(programme.settle_seconds());
    let services_address = address(&listeners.services)?;
    let locality = Locality {
        parameters: BTreeMap::from([("TablePrefix".to_owned(), options.table_prefix.clone())]),
        mapped: BTreeMap::from([
            ("TimeZone".to_owned(), programme.zone().name().to_owned()),
            ("SettleSeconds".to_owned(), settle_seconds.to_string()),
        ]),
        stack_name: options.table_prefix.trim_end_matches(['-', '_', '.']).to_owned(),
        services_url: format!("http://{services_address}"),
    };
    let template = Template::load(&options.template, locality)?;
    let executables = executables(&options, &template);
    let engine = Engine::start(&data.database(), listeners.dynamodb, &template.tables)?;
    let executables = executables.await?;
    let secrets = Secrets::from_lookup(|name| std::env::var(name).ok());
    // The functions need these two until the end, so nothing closes them gracefully.
    let mut services = JoinSet::new();
    let http = address(&listeners.http)?;
    let zalo = stand_in(&options, &mut services, &data, &clock, http)?;
    let surroundings = Surroundings {
        secrets: &secrets,
        engine: &engine,
        services: services_address,
        local: local_variables(&options, &data, zalo.as_ref(), http)?,
    };
    let functions = functions(&options, &template, &surroundings, &executables)?;
    let (bus, rule_outlets) = Bus::new(&template.buses, &template.rules, &store, &clock)?;
    let mut schedules = template.schedules.clone();
    schedules.iter_mut().for_each(|schedule| schedule.enabled &= (options.schedules)(&schedule.name));
    let (scheduler, schedule_outlets) = Scheduler::new(&schedules, &store, &clock)?;
    let outlets = [rule_outlets, schedule_outlets].concat();
    let mut queues = template.queues.clone();
    queues.extend(outlets.iter().map(|outlet| outlet.queue.clone()));
    store.declare(queues).await?;

    let gateway = Gateway::new(&template.routes, Arc::clone(&functions), Arc::clone(&clock));
    let mut workers = JoinSet::new();
    let followers = follow(&mut workers, &template, &engine, &store, &functions, &clock, options.sends).await?;
    let mut consumers = JoinSet::new();
    consume(&mut consumers, &template, &outlets, &store, &functions)?;
    workers.spawn(Arc::clone(&scheduler).tick());
    for pool in functions.values() {
        pool.warm();
    }
    let running = Arc::new(Running {
        http,
        zalo,
        services: services_address,
        options,
        settle_seconds,
        template,
        secrets,
        clock,
        store: store.clone(),
        engine,
        functions: Arc::clone(&functions),
        gateway: Arc::clone(&gateway),
        bus: Arc::clone(&bus),
        scheduler,
        followers,
        outlets,
    });
    let (stopping, stopped) = watch::channel(false);
    let sqs = SqsEndpoint {
        store,
        queues: Arc::new(running.template.queues.clone()),
        url: format!("http://{services_address}"),
    };
    let door = gateway.router(running.template.cors.as_ref())?;
    let door = local_api::router(Arc::clone(&running)).merge(door);
    let mut servers = JoinSet::new();
    serve(&mut servers, listeners.http, door, stopped)?;
    let (open, never) = watch::channel(false);
    serve(&mut services, listeners.services, services::router(sqs, bus, functions), never)?;
    services.spawn(async move { open.closed().await });
    Ok(Stack { running, stopping, servers, consumers, workers, services, data })
}

fn listen(port: u16, what: &str, option: &str) -> Result<TcpListener> {
    TcpListener::bind(("127.0.0.1", port)).context(|| {
        format!(
            "port {port} for {what} is not free; is another stack running? Choose another with \
             {option} N (0 takes any free one)"
        )
    })
}

fn address(listener: &TcpListener) -> Result<SocketAddr> {
    listener.local_addr().context(|| "a port has no address".to_owned())
}

async fn set_clock(options: &Options, clock: &Clock, store: &QueueStore) -> Result<()> {
    let offset = match options.clock_ms {
        Some(instant) => clock.set_ms(instant),
        None => {
            let Some(offset) = kept_clock(store).await? else {
                return Ok(());
            };
            clock.set_ms(crate::clock::machine_ms() + offset)
        }
    };
    store.wake();
    keep_clock(store, offset).await
}

/// Starts building at once, so that the files open while cargo looks around.
fn executables(
    options: &Options,
    template: &Template,
) -> impl Future<Output = Result<BTreeMap<String, PathBuf>>> + use<> {
    let mut built = options.executables.clone();
    let wanted: Vec<String> = template
        .functions
        .iter()
        .map(|function| function.binary.clone())
        .filter(|binary| !built.contains_key(binary))
        .collect();
    let workspace = options.workspace.clone();
    let building = tokio::task::spawn_blocking(move || build::build(&workspace, &wanted));
    async move {
        let more = building.await.context(|| "the build of the functions was interrupted".to_owned())??;
        built.extend(more);
        Ok(built)
    }
}

/// A stand-in for Zalo, unless the shop's own account is to be used.
fn stand_in(
    options: &Options,
    tasks: &mut JoinSet<()>,
    data: &DataDir,
    clock: &Arc<Clock>,
    http: SocketAddr,
) -> Result<Option<StandIn>> {
    if options.zalo != Zalo::StandIn {
        return Ok(None);
    }
    let listener = listen(0, "the Zalo stand-in", "--port")?;
    StandIn::start(tasks, listener, clock, data.zalo(), format!("http://{http}/webhooks/zalo")).map(Some)
}

/// What functions are told of this machine.
struct Surroundings<'a> {
    secrets: &'a Secrets,
    engine: &'a Engine,
    services: SocketAddr,
    /// Variables by name, for the functions that have them.
    local: BTreeMap<String, String>,
}

fn local_variables(
    options: &Options,
    data: &DataDir,
    zalo: Option<&StandIn>,
    http: SocketAddr,
) -> Result<BTreeMap<String, String>> {
    let programme = std::path::absolute(&options.programme).context(|| "the working directory is gone".to_owned())?;
    let mut local = BTreeMap::from([
        ("PROGRAMME_FILE".to_owned(), programme.display().to_string()),
        ("MEMBER_ID_KEY".to_owned(), data.member_id_key()?),
        (CLOCK_URL.to_owned(), format!("http://{http}/_local/clock")),
        // Only this machine reaches the stack, and nobody here issues tokens.
        (ACCESS.to_owned(), "open".to_owned()),
    ]);
    match (zalo, &options.zalo) {
        (Some(stand_in), _) => local.extend(stand_in.variables()),
        (None, Zalo::Own(account)) => local.extend(account.clone()),
        (None, Zalo::StandIn) => {}
    }
    // The shop's own system, where it has one that takes messages.
    for name in OUTGOING_WEBHOOK {
        local.insert(name.to_owned(), std::env::var(name).unwrap_or_default());
    }
    if let Ok(filter) = std::env::var("RUST_LOG") {
        local.insert("RUST_LOG".to_owned(), filter);
    }
    Ok(local)
}

fn functions(
    options: &Options,
    template: &Template,
    surroundings: &Surroundings<'_>,
    executables: &BTreeMap<String, PathBuf>,
) -> Result<Arc<Functions>> {
    let Surroundings { secrets, engine, services, local } = surroundings;
    let watchdog = Arc::new(Watchdog::start()?);
    let mut functions = Functions::new();
    for function in &template.functions {
        let mut environment = environment(function, local, secrets)?;
        // In the cloud there is the machine's clock and no such variable.
        environment.extend(local.get_key_value(CLOCK_URL).map(|(name, url)| (name.clone(), url.clone())));
        environment.extend(aws_environment(function, engine, *services));
        environment.extend(options.environment.clone());
        let launch = Launch {
            binary: function.binary.clone(),
            executable: executables
                .get(&function.binary)
                .cloned()
                .ok_or_else(|| StackError::new(format!("there is no binary {}", function.binary)))?,
            environment,
            runtime_api: format!("http://{services}/runtime/{}", function.binary),
            timeout_seconds: function.timeout_seconds,
            instances_max: INSTANCES_MAX,
        };
        functions.insert(function.binary.clone(), Pool::new(launch, Arc::clone(&watchdog)));
    }
    Ok(Arc::new(functions))
}

/// The template's variables, with what only this machine knows put in.
fn environment(
    function: &Function,
    local: &BTreeMap<String, String>,
    secrets: &Secrets,
) -> Result<BTreeMap<String, String>> {
    let mut environment = BTreeMap::new();
    for (name, value) in &function.environment {
        let value = local
            .get(name)
            .cloned()
            .or_else(|| secrets.get(name).map(str::to_owned))
            .or_else(|| value.clone())
            .or_else(|| std::env::var(name).ok())
            .ok_or_else(|| {
                StackError::new(format!(
                    "the function {} needs {name}, which the cloud takes from its secret store; \
                     set it in the environment",
                    function.binary
                ))
            })?;
        environment.insert(name.clone(), value);
    }
    Ok(environment)
}

fn aws_environment(function: &Function, engine: &Engine, services: SocketAddr) -> BTreeMap<String, String> {
    let services = format!("http://{services}");
    [
        ("AWS_LAMBDA_FUNCTION_NAME", function.binary.clone()),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", function.memory_mb.to_string()),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST".to_owned()),
        ("AWS_REGION", REGION.to_owned()),
        ("AWS_ACCESS_KEY_ID", "local".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "local".to_owned()),
        // Nothing on this machine is to be asked for credentials.
        ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
        ("AWS_ENDPOINT_URL_DYNAMODB", engine.url()),
        ("AWS_ENDPOINT_URL_SQS", services.clone()),
        ("AWS_ENDPOINT_URL_EVENTBRIDGE", services),
        // Names the caller in the user agent, so that its requests can be counted.
        ("AWS_SDK_UA_APP_ID", function.binary.clone()),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect()
}

async fn follow(
    workers: &mut JoinSet<()>,
    template: &Template,
    engine: &Engine,
    store: &QueueStore,
    functions: &Functions,
    clock: &Arc<Clock>,
    sends: bool,
) -> Result<Vec<Arc<sources::Follower>>> {
    let mut followers = Vec::new();
    for source in &template.stream_sources {
        let pool = pool(functions, &source.function)?;
        if pool.launch.binary == SENDER && !sends {
            continue;
        }
        let readers = template.stream_sources.iter().filter(|other| other.table == source.table).count();
        let follower = sources::spawn_stream(workers, source.clone(), engine, store, pool, clock, readers == 1);
        followers.push(follower.await?);
    }
    Ok(followers)
}

fn consume(
    workers: &mut JoinSet<()>,
    template: &Template,
    outlets: &[Outlet],
    store: &QueueStore,
    functions: &Functions,
) -> Result<()> {
    let mut consumed = HashSet::new();
    for source in &template.queue_sources {
        let queue =
            template.queues.iter().find(|queue| queue.name == source.queue).ok_or_else(|| {
                StackError::new(format!("{} reads an unknown queue {}", source.function, source.queue))
            })?;
        if !consumed.insert(&source.queue) {
            return Err(StackError::new(format!("two functions read the queue {}", source.queue)));
        }
        let delivered = Delivered::Batch { size: source.batch_size, partial_responses: source.partial_responses };
        let concurrency = source.concurrency_max.map_or(QUEUE_CONCURRENCY, |limit| limit.min(QUEUE_CONCURRENCY));
        let pool = pool(functions, &source.function)?;
        sources::spawn_queue(workers, store, queue, pool, delivered, concurrency);
    }
    for outlet in outlets {
        if let Target::Function(function) = &outlet.delivery.target {
            let pool = pool(functions, function)?;
            sources::spawn_queue(workers, store, &outlet.queue, pool, Delivered::Body, QUEUE_CONCURRENCY);
        }
    }
    Ok(())
}

fn pool<'a>(functions: &'a Functions, name: &str) -> Result<&'a Arc<Pool>> {
    functions.get(name).ok_or_else(|| StackError::new(format!("the template has no function {name}")))
}

fn serve(
    tasks: &mut JoinSet<()>,
    listener: TcpListener,
    router: Router,
    mut stopped: watch::Receiver<bool>,
) -> Result<()> {
    let listener = listener
        .set_nonblocking(true)
        .and_then(|()| tokio::net::TcpListener::from_std(listener))
        .context(|| "cannot use a port".to_owned())?
        .tap_io(|stream| {
            // Small answers must not wait for the acknowledgement of earlier ones.
            let _ = stream.set_nodelay(true);
        });
    tasks.spawn(async move {
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        let server = axum::serve(listener, service).with_graceful_shutdown(async move {
            let _ = stopped.wait_for(|stopped| *stopped).await;
        });
        if let Err(error) = server.await {
            tracing::error!(%error, "a door of the stack closed");
        }
    });
    Ok(())
}
