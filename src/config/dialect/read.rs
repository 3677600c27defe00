//! From the keys of a dialect as written to the checked types.
//!
//! What an account says lies over its carrier's file, and what a route says over what holds for
//! all. For each key the order is: the account's route, the carrier's route, the account at large,
//! the carrier at large. Tables are laid over each other key by key, arrays and values come whole.

mod answers;
mod auth;
mod decoding;
mod digest;
mod events;
mod fields;
mod inside;
mod places;
mod send;
mod steps;
mod times;
mod values;

use super::super::Environment;
use super::super::carriers;
use super::super::problem::{Fault, Problems, listed, nearest, one_of};
use super::super::raw::{At, Context, Document, Findings, Section};
use super::super::{units, values as config_values};
use super::{Dialect, Format, Route, Transport};
use http::Method;
use places::Ground;
pub(in crate::config) use send::{code_of, place as code_place, send_url};
use std::sync::Arc;
use std::time::Duration;
use toml::de::DeValue;
pub(in crate::config) use values::{named, texts};

/// The carrier that is all configuration.
const GENERIC: &str = "generic";

const TRANSPORTS: [(&str, Transport); 2] =
    [("http", Transport::Http), ("websocket", Transport::WebSocket)];

/// Reads the dialect of an account: its own keys over those of its carrier's file.
pub(in crate::config) fn read(
    carrier: &At<String>,
    section: &mut Section<'_>,
) -> Option<Arc<Dialect>> {
    let key = carrier.value.as_str();
    let below = carriers::document(key);
    if below.is_none() && key != GENERIC {
        section.node("dialect");
        section.reject(carrier, unknown(key));
        return None;
    }
    if below.is_none() && !section.has("dialect") {
        let account = section.here().key;
        section.reject(carrier, speechless(&account));
        section.node("dialect");
        return None;
    }
    section.table_over("dialect", below, |section| dialect(key, section)).map(Arc::new)
}

/// Reads the dialect of a carrier's file alone.
///
/// # Errors
/// Everything that is wrong with it, warnings included.
pub(in crate::config) fn read_alone(
    key: &str,
    document: &Document<'_>,
    environment: &Environment,
) -> Result<Arc<Dialect>, Problems> {
    let context = Context::new(environment);
    let dialect =
        Section::whole(std::slice::from_ref(document), &context, |section| dialect(key, section));
    let Findings { problems, warnings, .. } = context.into_findings();
    match dialect {
        Some(dialect) if problems.is_empty() && warnings.is_empty() => Ok(Arc::new(dialect)),
        _ => Err(Problems::new(problems.iter().chain(&warnings).cloned().collect())),
    }
}

fn unknown(key: &str) -> Fault {
    let keys = || carriers::built_in().map(|(key, _)| key);
    let all = format!("use one of {} or `{GENERIC}`", listed(keys()));
    let right = match nearest(key, keys().chain([GENERIC])) {
        Some(near) => format!("did you mean `{near}`? Or {all}"),
        None => all,
    };
    Fault::new(format!("unknown carrier `{key}`"), right)
}

fn speechless(account: &str) -> Fault {
    let right = format!(
        "say how it speaks, for example\n    \
         [{account}.dialect]\n    \
         formats = [\"json\"]\n    \
         events = [{{ kind = \"sms_reply\", id = \"id\", caller = \"mobile\", text = \"content\" }}]"
    );
    Fault::new(format!("`{GENERIC}` knows no format of its own"), right)
}

fn dialect(key: &str, section: &mut Section<'_>) -> Option<Dialect> {
    let label = |section: &mut Section<'_>, key| values::any_text(section, key, "\"…\"");
    let title = label(section, "title");
    let reference = label(section, "reference");
    let patience = label(section, "patience");
    let retries = section.list("retries", RETRIES, pause);
    let transport = section
        .text("transport", "\"http\"", |name| one_of(name, "a transport", &TRANSPORTS))
        .map_or(Transport::Http, |transport| transport.value);
    let send = send::send(section);
    let routes = routes(section, transport)?;
    Some(Dialect {
        carrier: key.to_owned(),
        title: if title.is_empty() { key.to_owned() } else { title },
        reference,
        patience,
        retries: retries.map_or_else(Vec::new, |list| {
            list.value.into_iter().map(|pause| pause.value).collect()
        }),
        transport,
        routes,
        send: send?,
    })
}

const RETRIES: &str = "[\"1m\", \"5m\", \"10m\"]";

/// A documented pause before the next try.
fn pause(value: &DeValue<'_>) -> Result<Duration, Fault> {
    let right = format!("write the pauses between tries, retries = {RETRIES}");
    units::duration(config_values::text(value, RETRIES)?).map_err(|wrong| Fault::new(wrong, right))
}

/// The routes in alphabetical order; without any, the bare address is one, unless it only says how
/// to send.
fn routes(section: &mut Section<'_>, transport: Transport) -> Option<Vec<Route>> {
    let mut routes = section.heirs("routes", |name, section| {
        if let Err(fault) = route_name(name.value) {
            section.reject(&name, fault);
        }
        Some(route(name.value, section, transport))
    });
    if routes.is_empty() {
        if let Some(node) = section.node("routes") {
            node.reject(Fault::new("has no route", "write a [routes.NAME] below it, or remove it"));
        }
        if !section.has("send") || section.has("formats") || section.has("events") {
            routes.push(route("", section, transport));
        }
    }
    let mut routes = routes.into_iter().collect::<Option<Vec<Route>>>()?;
    routes.sort_by(|a, b| a.name.cmp(&b.name));
    Some(routes)
}

fn route_name(name: &str) -> Result<(), Fault> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._~/-".contains(&byte);
    let mut steps = name.split('/');
    let whole = name.is_empty() || steps.all(|step| !["", ".", ".."].contains(&step));
    if whole && name.bytes().all(fits) {
        return Ok(());
    }
    Err(Fault::new(
        format!("{name:?} cannot follow the account in a URL"),
        "name routes with letters, digits and `._~-`, with single `/` between, none in front",
    ))
}

fn route(name: &str, section: &mut Section<'_>, transport: Transport) -> Option<Route> {
    section
        .demand("formats", "write formats = [\"json\"]: query, form, multipart, json, xml, text");
    let formats =
        texts(section, "formats", "[\"json\"]", |name| one_of(name, "a format", &Format::NAMES));
    let known = formats.as_ref().map(|formats| formats.value.clone()).unwrap_or_default();
    let methods = methods(section, &known, transport);
    let max_body = section.size("max_body", 1 << 10..=64 << 20).map(|size| size.value);
    let max_items = section.count("max_items", 1..=1_000_000).map(|count| count.value);
    let charset = decoding::charset(section, "charset");
    let has_inside = section.has("inside");
    let inside = inside::inside(section, &known);
    let columns = inside::columns(inside.as_ref());
    let ground = Ground { formats: known, columns, within: has_inside, each: false };
    let auth = auth::auth(section, &ground);
    let events = events::events(section, &ground);
    let answers = answers::answers(section, &ground);
    let steps = steps::steps(section, &ground);
    if has_inside && inside.is_none() {
        return None;
    }
    Some(Route {
        name: name.to_owned(),
        methods: methods?,
        max_body: usize::try_from(max_body.unwrap_or(1 << 20)).unwrap_or(usize::MAX),
        max_items: max_items.unwrap_or(10_000),
        formats: formats?.value,
        charset: charset.unwrap_or_default(),
        inside,
        auth: auth?,
        events: events?,
        answers: answers?,
        steps: steps?,
    })
}

fn methods(
    section: &mut Section<'_>,
    formats: &[Format],
    transport: Transport,
) -> Option<Vec<Method>> {
    let names = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];
    let pairs = names.map(|name| (name, name));
    let written = texts(section, "methods", "[\"POST\"]", |name| {
        let name = one_of(name, "a method", &pairs)?;
        Method::from_bytes(name.as_bytes()).map_err(|_| Fault::new("is not a method", "write GET"))
    });
    let reads_query = formats.contains(&Format::Query);
    let Some(written) = written else {
        return (!section.has("methods")).then(|| match (transport, formats) {
            (Transport::WebSocket, _) | (_, [Format::Query]) => vec![Method::GET],
            _ if reads_query => vec![Method::GET, Method::POST],
            _ => vec![Method::POST],
        });
    };
    let bare =
        written.value.iter().find(|method| **method == Method::GET || **method == Method::HEAD);
    if let Some(method) = bare
        && !reads_query
        && !formats.is_empty()
        && transport == Transport::Http
    {
        let wrong = format!("{method} has its fields in the query, which `formats` does not name");
        let right = format!("add \"query\" to `formats`, or remove \"{method}\"");
        section.reject(&written, Fault::new(wrong, right));
    }
    Some(written.value)
}
