//! Reads the `Events` of a SAM function: routes, queues, streams, rules and schedules.

use serde_json::Value;

use super::read::{Properties, queue_name, with_retries};
use super::resolve::{Resolver, at};
use super::{QueueSource, Route, Rule, Schedule, StreamSource, Target, Template};
use crate::bus::pattern::Pattern;
use crate::error::Result;

/// Adds one event of one function to the template.
pub fn event(
    resolver: &Resolver,
    event: &Value,
    path: &str,
    id: &str,
    function: &str,
    template: &mut Template,
) -> Result<()> {
    let properties = Properties::of(resolver, event.get("Properties"), path)?;
    let function = function.to_owned();
    match event["Type"].as_str() {
        Some("HttpApi") => template.routes.push(route(&properties, function)?),
        Some("SQS") => template.queue_sources.push(queue_source(&properties, function)?),
        Some("DynamoDB") => template.stream_sources.push(stream_source(&properties, function)?),
        Some("EventBridgeRule") => template.rules.push(rule(&properties, id, function)?),
        Some("ScheduleV2") => template.schedules.push(schedule(&properties, id, function)?),
        Some(other) => {
            return Err(at(path, &format!("the local stack has no counterpart for events of type {other}")));
        }
        None => return Err(at(path, "has no Type")),
    }
    Ok(())
}

fn route(properties: &Properties, function: String) -> Result<Route> {
    properties
        .only(&["Path", "Method", "PayloadFormatVersion"], &["ApiId", "Auth", "TimeoutInMillis", "RouteSettings"])?;
    let version = properties.text("PayloadFormatVersion")?;
    if version.is_some_and(|version| version != "2.0") {
        return Err(at(&properties.at("PayloadFormatVersion"), "only 2.0 is understood"));
    }
    Ok(Route { method: properties.required("Method")?.to_uppercase(), path: properties.required("Path")?, function })
}

fn queue_source(properties: &Properties, function: String) -> Result<QueueSource> {
    properties.only(
        &["Queue", "BatchSize", "FunctionResponseTypes", "ScalingConfig", "MaximumBatchingWindowInSeconds"],
        &["Enabled"],
    )?;
    if properties.integer("MaximumBatchingWindowInSeconds")?.is_some_and(|seconds| seconds > 0) {
        return Err(at(
            &properties.at("MaximumBatchingWindowInSeconds"),
            "a batching window is not understood; the local stack hands out what is there",
        ));
    }
    Ok(QueueSource {
        queue: queue_name(&properties.required("Queue")?),
        function,
        batch_size: properties.integer("BatchSize")?.unwrap_or(10),
        partial_responses: partial_responses(properties)?,
        concurrency_max: match properties.inner("ScalingConfig")? {
            Some(scaling) => scaling.integer("MaximumConcurrency")?,
            None => None,
        },
    })
}

fn stream_source(properties: &Properties, function: String) -> Result<StreamSource> {
    properties.only(
        &[
            "Stream",
            "StartingPosition",
            "BatchSize",
            "BisectBatchOnFunctionError",
            "MaximumRetryAttempts",
            "MaximumRecordAgeInSeconds",
            "FunctionResponseTypes",
            "FilterCriteria",
            "DestinationConfig",
        ],
        &["Enabled", "ParallelizationFactor", "MaximumBatchingWindowInSeconds"],
    )?;
    let position = properties.required("StartingPosition")?;
    if position != "TRIM_HORIZON" {
        return Err(at(
            &properties.at("StartingPosition"),
            "only TRIM_HORIZON is understood: LATEST would lose what was written before",
        ));
    }
    let stream = properties.required("Stream")?;
    let table =
        stream.split('/').nth(1).ok_or_else(|| at(&properties.at("Stream"), "is not the ARN of a table's stream"))?;
    let on_failure = match properties.inner("DestinationConfig")? {
        Some(config) => match config.inner("OnFailure")? {
            Some(destination) => Some(queue_name(&destination.required("Destination")?)),
            None => None,
        },
        None => None,
    };
    Ok(StreamSource {
        table: table.to_owned(),
        function,
        filters: filters(properties)?,
        batch_size: properties.integer("BatchSize")?.unwrap_or(100),
        partial_responses: partial_responses(properties)?,
        bisect: properties.text("BisectBatchOnFunctionError")?.as_deref() == Some("true"),
        retries_max: properties.integer("MaximumRetryAttempts")?,
        record_age_seconds_max: properties.integer("MaximumRecordAgeInSeconds")?,
        on_failure,
    })
}

/// The patterns of a filter, each a JSON text.
fn filters(properties: &Properties) -> Result<Vec<Value>> {
    let Some(criteria) = properties.get("FilterCriteria")? else { return Ok(Vec::new()) };
    let path = properties.at("FilterCriteria");
    let listed = criteria["Filters"].as_array().ok_or_else(|| at(&path, "has no list of Filters"))?;
    let read = |filter: &Value| {
        let pattern = filter["Pattern"].as_str().and_then(|text| serde_json::from_str(text).ok());
        let pattern: Value = pattern.ok_or_else(|| at(&path, "a Pattern is no JSON"))?;
        Pattern::read(&pattern).map_err(|reason| at(&path, &reason))?;
        Ok(pattern)
    };
    listed.iter().map(read).collect()
}

fn rule(properties: &Properties, id: &str, function: String) -> Result<Rule> {
    properties.only(&["EventBusName", "Pattern", "RetryPolicy", "DeadLetterConfig", "RuleName"], &["State"])?;
    Ok(Rule {
        name: match properties.text("RuleName")? {
            Some(name) => name,
            None => format!("{function}-{id}"),
        },
        bus: properties.text("EventBusName")?.unwrap_or_else(|| "default".to_owned()),
        pattern: properties.get("Pattern")?.ok_or_else(|| at(&properties.path, "Pattern is missing"))?,
        deliveries: vec![with_retries(properties, Target::Function(function))?],
    })
}

fn schedule(properties: &Properties, id: &str, function: String) -> Result<Schedule> {
    properties.only(
        &[
            "Name",
            "ScheduleExpression",
            "ScheduleExpressionTimezone",
            "Input",
            "State",
            "RetryPolicy",
            "DeadLetterConfig",
        ],
        &["Description", "FlexibleTimeWindow", "GroupName", "RoleArn", "OmitName"],
    )?;
    Ok(Schedule {
        name: match properties.text("Name")? {
            Some(name) => name,
            None => format!("{function}-{id}"),
        },
        expression: properties.required("ScheduleExpression")?,
        time_zone: properties.text("ScheduleExpressionTimezone")?.unwrap_or_else(|| "UTC".to_owned()),
        input: properties.text("Input")?,
        enabled: properties.text("State")?.as_deref() != Some("DISABLED"),
        delivery: with_retries(properties, Target::Function(function))?,
    })
}

fn partial_responses(properties: &Properties) -> Result<bool> {
    match properties.get("FunctionResponseTypes")? {
        None => Ok(false),
        Some(Value::Array(types)) if types == ["ReportBatchItemFailures"] => Ok(true),
        Some(_) => Err(at(&properties.at("FunctionResponseTypes"), "only ReportBatchItemFailures is understood")),
    }
}
