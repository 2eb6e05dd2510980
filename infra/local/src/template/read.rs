//! Reads each kind of resource. Never reads a property it does not know: an unknown one is an
//! error, and one that has no meaning on this machine is named in a list that says so.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::resolve::{Resolver, at};
use super::yaml::join;
use super::{Cors, Delivery, Function, Queue, Redrive, Rule, Schedule, Table, Target, Template, events};
use crate::error::Result;

/// Kinds of resources that have nothing to run on this machine.
const CLOUD_ONLY: [&str; 17] = [
    "AWS::CloudWatch::Alarm",
    "AWS::CloudWatch::Dashboard",
    "AWS::Cognito::UserPool",
    "AWS::Cognito::UserPoolClient",
    "AWS::Cognito::UserPoolGroup",
    "AWS::IAM::ManagedPolicy",
    "AWS::IAM::Role",
    "AWS::KMS::Key",
    "AWS::Lambda::Permission",
    "AWS::Logs::LogGroup",
    "AWS::Logs::MetricFilter",
    "AWS::Scheduler::ScheduleGroup",
    "AWS::SecretsManager::Secret",
    "AWS::SNS::Subscription",
    "AWS::SNS::Topic",
    "AWS::SQS::QueuePolicy",
    "AWS::Serverless::LayerVersion",
];

/// Reads a whole template.
pub fn template(resolver: &Resolver) -> Result<Template> {
    let mut template = Template::default();
    let resources = resolver.section("Resources");
    // Functions last: their events refer to tables, queues and buses.
    for (logical_id, resource) in &resources {
        let path = format!("Resources.{logical_id}");
        if !enabled(resolver, resource, &path)? {
            continue;
        }
        let kind = resource["Type"].as_str().ok_or_else(|| at(&path, "has no Type"))?;
        let properties = || Properties::of(resolver, resource.get("Properties"), &path);
        match kind {
            "AWS::DynamoDB::Table" => {
                let name = resolver.name(logical_id, &path, 0)?;
                template.tables.push(table(name, &properties()?)?);
            }
            "AWS::SQS::Queue" => {
                let name = resolver.name(logical_id, &path, 0)?;
                template.queues.push(queue(name, &properties()?)?);
            }
            "AWS::Events::EventBus" => template.buses.push(resolver.name(logical_id, &path, 0)?),
            "AWS::Serverless::HttpApi" => template.cors = cors(&properties()?)?,
            "AWS::Serverless::Function" | "AWS::Events::Rule" | "AWS::Scheduler::Schedule" => {}
            kind if CLOUD_ONLY.contains(&kind) => {}
            other => {
                return Err(at(&path, &format!("the local stack has no counterpart for {other}")));
            }
        }
    }
    let mut names = Names::default();
    for (logical_id, resource) in kind_of(&resources, "AWS::Serverless::Function") {
        let path = format!("Resources.{logical_id}");
        let binary = binary(resource, &path)?;
        names.functions.insert(resolver.name(logical_id, &path, 0)?, binary);
    }
    for (logical_id, resource) in &resources {
        let path = format!("Resources.{logical_id}");
        if !enabled(resolver, resource, &path)? {
            continue;
        }
        match resource["Type"].as_str().unwrap_or_default() {
            "AWS::Serverless::Function" => function(resolver, resource, &path, &mut template)?,
            "AWS::Events::Rule" => {
                let properties = Properties::of(resolver, resource.get("Properties"), &path)?;
                let name = resolver.name(logical_id, &path, 0)?;
                template.rules.push(rule(name, &properties, &names)?);
            }
            "AWS::Scheduler::Schedule" => {
                let properties = Properties::of(resolver, resource.get("Properties"), &path)?;
                let name = resolver.name(logical_id, &path, 0)?;
                template.schedules.push(schedule(name, &properties, &names)?);
            }
            _ => {}
        }
    }
    Ok(template)
}

/// Which origins are allowed is the cloud's: here it is the pages of this machine.
fn cors(api: &Properties<'_>) -> Result<Option<Cors>> {
    let Some(cors) = api.inner("CorsConfiguration")? else { return Ok(None) };
    cors.only(&["AllowMethods", "AllowHeaders", "MaxAge"], &["AllowOrigins"])?;
    let words = |key: &str| -> Result<Vec<String>> {
        let value = cors.get(key)?.unwrap_or_default();
        let words = value.as_array().ok_or_else(|| at(&cors.at(key), "is not a list"))?;
        words
            .iter()
            .map(|word| word.as_str().map(str::to_owned).ok_or_else(|| at(&cors.at(key), "has something but words")))
            .collect()
    };
    Ok(Some(Cors {
        methods: words("AllowMethods")?,
        headers: words("AllowHeaders")?,
        max_age_seconds: cors.integer("MaxAge")?.unwrap_or(0),
    }))
}

/// Physical names that ARNs end in.
#[derive(Debug, Default)]
pub struct Names {
    /// Function name to binary.
    pub functions: BTreeMap<String, String>,
}

impl Names {
    /// The target an ARN stands for.
    pub fn target(&self, arn: &str, path: &str) -> Result<Target> {
        let name = arn.rsplit(':').next().unwrap_or_default();
        if arn.starts_with("arn:aws:lambda:") {
            let binary = self.functions.get(name).ok_or_else(|| at(path, &format!("there is no function {name}")))?;
            return Ok(Target::Function(binary.clone()));
        }
        if arn.starts_with("arn:aws:sqs:") {
            return Ok(Target::Queue(name.to_owned()));
        }
        Err(at(path, &format!("the local stack cannot deliver to {arn}")))
    }
}

/// How the value of a variable begins that stands for a secret of the cloud's store.
const SECRETS: [&str; 2] = ["secretsmanager:", "{{resolve:"];

/// Properties of one resource or event, resolved one by one as they are asked for.
pub struct Properties<'a> {
    pub resolver: &'a Resolver,
    pub object: Map<String, Value>,
    pub path: String,
}

impl<'a> Properties<'a> {
    /// Wraps the `Properties` found under `owner`.
    pub fn of(resolver: &'a Resolver, value: Option<&Value>, owner: &str) -> Result<Self> {
        let path = format!("{owner}.Properties");
        let object = match value {
            None | Some(Value::Null) => Map::new(),
            Some(Value::Object(object)) => object.clone(),
            Some(_) => return Err(at(&path, "should be a mapping")),
        };
        Ok(Self { resolver, object, path })
    }

    /// Refuses any property outside both lists: those that are honoured here, and those that
    /// only mean something in the cloud.
    pub fn only(&self, honoured: &[&str], cloud_only: &[&str]) -> Result<()> {
        for key in self.object.keys() {
            if !honoured.contains(&key.as_str()) && !cloud_only.contains(&key.as_str()) {
                return Err(at(&self.at(key), "the local stack does not understand this property"));
            }
        }
        Ok(())
    }

    /// The path of a property.
    pub fn at(&self, key: &str) -> String {
        join(&self.path, key)
    }

    /// A property, resolved, if it is there (and not `AWS::NoValue`).
    pub fn get(&self, key: &str) -> Result<Option<Value>> {
        match self.object.get(key) {
            None => Ok(None),
            Some(value) => {
                let value = self.resolver.resolve(value, &self.at(key))?;
                Ok((!value.is_null()).then_some(value))
            }
        }
    }

    /// A property as text.
    pub fn text(&self, key: &str) -> Result<Option<String>> {
        match self.object.get(key) {
            None => Ok(None),
            Some(value) => self.resolver.text(value, &self.at(key)).map(Some),
        }
    }

    /// A property that must be there, as text.
    pub fn required(&self, key: &str) -> Result<String> {
        self.text(key)?.ok_or_else(|| at(&self.path, &format!("{key} is missing")))
    }

    /// A property as a whole number, zero or more.
    pub fn integer(&self, key: &str) -> Result<Option<u32>> {
        let Some(text) = self.text(key)? else {
            return Ok(None);
        };
        text.parse().map(Some).map_err(|_| at(&self.at(key), &format!("should be a whole number, not “{text}”")))
    }

    /// A property that is a mapping, as properties of its own.
    pub fn inner(&self, key: &str) -> Result<Option<Properties<'a>>> {
        match self.get(key)? {
            None => Ok(None),
            Some(Value::Object(object)) => Ok(Some(Properties { resolver: self.resolver, object, path: self.at(key) })),
            Some(_) => Err(at(&self.at(key), "should be a mapping")),
        }
    }
}

fn kind_of<'a>(resources: &'a Map<String, Value>, kind: &'a str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    resources.iter().filter(move |(_, resource)| resource["Type"] == kind)
}

fn enabled(resolver: &Resolver, resource: &Value, path: &str) -> Result<bool> {
    match resource.get("Condition").and_then(Value::as_str) {
        Some(name) => resolver.condition(name, path, 0),
        None => Ok(true),
    }
}

fn table(name: String, properties: &Properties) -> Result<Table> {
    properties.only(
        &[
            "TableName",
            "AttributeDefinitions",
            "KeySchema",
            "GlobalSecondaryIndexes",
            "StreamSpecification",
            "TimeToLiveSpecification",
            "BillingMode",
        ],
        &["PointInTimeRecoverySpecification", "SSESpecification", "DeletionProtectionEnabled", "Tags"],
    )?;
    let mut create = Map::new();
    create.insert("TableName".to_owned(), name.clone().into());
    for key in ["AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes", "BillingMode"] {
        if let Some(value) = properties.get(key)? {
            create.insert(key.to_owned(), value);
        }
    }
    if let Some(mut stream) = properties.get("StreamSpecification")? {
        stream["StreamEnabled"] = true.into();
        create.insert("StreamSpecification".to_owned(), stream);
    }
    let time_to_live = match properties.inner("TimeToLiveSpecification")? {
        Some(ttl) if ttl.text("Enabled")?.as_deref() == Some("true") => Some(ttl.required("AttributeName")?),
        _ => None,
    };
    Ok(Table { name, create: Value::Object(create), time_to_live })
}

fn queue(name: String, properties: &Properties) -> Result<Queue> {
    properties.only(
        &["QueueName", "DelaySeconds", "VisibilityTimeout", "RedrivePolicy"],
        &[
            // Dead letters are kept here for as long as the data directory is.
            "MessageRetentionPeriod",
            "KmsMasterKeyId",
            "SqsManagedSseEnabled",
            "RedriveAllowPolicy",
            "ReceiveMessageWaitTimeSeconds",
            "Tags",
        ],
    )?;
    let redrive = match properties.inner("RedrivePolicy")? {
        None => None,
        Some(policy) => Some(Redrive {
            queue: queue_name(&policy.required("deadLetterTargetArn")?),
            receives_max: policy
                .integer("maxReceiveCount")?
                .ok_or_else(|| at(&policy.path, "maxReceiveCount is missing"))?,
        }),
    };
    Ok(Queue {
        name,
        // The defaults are those of SQS.
        delay_seconds: properties.integer("DelaySeconds")?.unwrap_or(0),
        visibility_seconds: properties.integer("VisibilityTimeout")?.unwrap_or(30),
        redrive,
    })
}

/// The queue an SQS ARN names.
pub fn queue_name(arn: &str) -> String {
    arn.rsplit(':').next().unwrap_or_default().to_owned()
}

fn binary(resource: &Value, path: &str) -> Result<String> {
    resource["Metadata"]["BuildProperties"]["Binary"]
        .as_str()
        .map(str::to_owned)
        .ok_or_else(|| at(path, "Metadata.BuildProperties.Binary must name the cargo binary of the function"))
}

fn function(resolver: &Resolver, resource: &Value, path: &str, template: &mut Template) -> Result<()> {
    let binary = binary(resource, path)?;
    let mut properties = Properties::of(resolver, resource.get("Properties"), path)?;
    let globals = resolver.section("Globals");
    let mut environment = Map::new();
    if let Some(Value::Object(shared)) = globals.get("Function") {
        if let Some(Value::Object(variables)) = shared.get("Environment").and_then(|e| e.get("Variables")) {
            environment.extend(variables.clone());
        }
        for (key, value) in shared {
            properties.object.entry(key.clone()).or_insert(value.clone());
        }
    }
    properties.only(
        &["FunctionName", "Timeout", "MemorySize", "Environment", "Events"],
        &[
            "Architectures",
            "CodeUri",
            "DeadLetterQueue",
            "Description",
            "EventInvokeConfig",
            "Handler",
            "Layers",
            "LoggingConfig",
            "Policies",
            "ReservedConcurrentExecutions",
            "Role",
            "Runtime",
            "Tracing",
        ],
    )?;
    if let Some(Value::Object(own)) = resource["Properties"]["Environment"].get("Variables") {
        environment.extend(own.clone());
    }
    template.functions.push(Function {
        // The defaults are those of SAM.
        timeout_seconds: properties.integer("Timeout")?.unwrap_or(3),
        memory_mb: properties.integer("MemorySize")?.unwrap_or(128),
        environment: variables(resolver, &environment, path)?,
        binary: binary.clone(),
    });
    if let Some(Value::Object(sources)) = properties.object.get("Events") {
        for (id, event) in sources {
            let path = format!("{path}.Properties.Events.{id}");
            events::event(resolver, event, &path, id, &binary, template)?;
        }
    }
    Ok(())
}

fn variables(
    resolver: &Resolver,
    environment: &Map<String, Value>,
    path: &str,
) -> Result<BTreeMap<String, Option<String>>> {
    let mut variables = BTreeMap::new();
    for (name, value) in environment {
        let path = format!("{path}.Properties.Environment.Variables.{name}");
        // Such a reference is the function's or CloudFormation's to follow; what it names is not on this machine.
        let pattern = match value.get("Fn::Sub") {
            Some(pattern) => pattern.as_str().or(pattern[0].as_str()),
            None => value.as_str(),
        };
        let secret = pattern.is_some_and(|text| SECRETS.iter().any(|reference| text.starts_with(reference)));
        let value = if secret { None } else { Some(resolver.text(value, &path)?) };
        variables.insert(name.clone(), value);
    }
    Ok(variables)
}

fn rule(name: String, properties: &Properties, names: &Names) -> Result<Rule> {
    properties.only(&["Name", "EventBusName", "EventPattern", "Targets", "State"], &["Description", "Tags"])?;
    let pattern = properties
        .get("EventPattern")?
        .ok_or_else(|| at(&properties.path, "EventPattern is missing; use AWS::Scheduler::Schedule for a schedule"))?;
    let mut deliveries = Vec::new();
    let targets = properties.get("Targets")?.unwrap_or(Value::Array(Vec::new()));
    for (index, target) in targets.as_array().into_iter().flatten().enumerate() {
        let target = Properties {
            resolver: properties.resolver,
            object: target.as_object().cloned().unwrap_or_default(),
            path: format!("{}.Targets[{index}]", properties.path),
        };
        target.only(&["Id", "Arn", "RetryPolicy", "DeadLetterConfig"], &["RoleArn"])?;
        deliveries.push(delivery(&target, names)?);
    }
    Ok(Rule {
        name,
        bus: properties.text("EventBusName")?.unwrap_or_else(|| "default".to_owned()),
        pattern,
        deliveries,
    })
}

fn schedule(name: String, properties: &Properties, names: &Names) -> Result<Schedule> {
    properties.only(
        &["Name", "ScheduleExpression", "ScheduleExpressionTimezone", "State", "Target"],
        &["Description", "FlexibleTimeWindow", "GroupName"],
    )?;
    let target = properties.inner("Target")?.ok_or_else(|| at(&properties.path, "Target is missing"))?;
    target.only(&["Arn", "Input", "RetryPolicy", "DeadLetterConfig"], &["RoleArn"])?;
    Ok(Schedule {
        name,
        expression: properties.required("ScheduleExpression")?,
        time_zone: properties.text("ScheduleExpressionTimezone")?.unwrap_or_else(|| "UTC".to_owned()),
        input: target.text("Input")?,
        enabled: properties.text("State")?.as_deref() != Some("DISABLED"),
        delivery: delivery(&target, names)?,
    })
}

/// Target, retries and dead-letter queue of a rule's or a schedule's target.
fn delivery(target: &Properties, names: &Names) -> Result<Delivery> {
    let arn = target.required("Arn")?;
    with_retries(target, names.target(&arn, &target.at("Arn"))?)
}

/// `RetryPolicy` and `DeadLetterConfig`, which rules, schedules and SAM events spell alike.
pub fn with_retries(properties: &Properties, target: Target) -> Result<Delivery> {
    let retries = properties.inner("RetryPolicy")?;
    let dead_letters = properties.inner("DeadLetterConfig")?;
    Ok(Delivery {
        target,
        retries_max: match retries {
            Some(policy) => policy.integer("MaximumRetryAttempts")?.unwrap_or(RETRIES_MAX),
            None => RETRIES_MAX,
        },
        dead_letters: match dead_letters {
            Some(config) => config.text("Arn")?.map(|arn| queue_name(&arn)),
            None => None,
        },
    })
}

/// What EventBridge does when the template does not say.
const RETRIES_MAX: u32 = 185;
