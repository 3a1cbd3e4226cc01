//! Where a server is. The HTTP client would look its name up for each request, even where a connection is open, and in
//! a thread of its own, as that is how it limits the time.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use ureq::{
    Error,
    config::Config,
    http::Uri,
    unversioned::{
        resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver},
        transport::NextTimeout,
    },
};

/// How long the addresses of a name are used.
const LASTING: Duration = Duration::from_secs(30);

/// The addresses of the one server that a client talks to.
#[derive(Debug, Default)]
pub(super) struct Remembering {
    system: DefaultResolver,
    last: Mutex<Option<(Instant, ResolvedSocketAddrs)>>,
}

impl Resolver for Remembering {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        // Whoever panicked has left it whole: it is only ever replaced.
        let last = || self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((since, addresses)) = &*last()
            && since.elapsed() < LASTING
        {
            return Ok(addresses.clone());
        }
        let addresses = self.system.resolve(uri, config, timeout)?;
        *last() = Some((Instant::now(), addresses.clone()));
        Ok(addresses)
    }
}

#[cfg(test)]
mod tests {
    use ureq::{Agent, Timeout, unversioned::transport::time};

    use super::*;

    fn ask(resolver: &Remembering, uri: &'static str) -> String {
        let config = Agent::config_builder().build();
        let timeout = NextTimeout {
            after: time::Duration::Exact(LASTING),
            reason: Timeout::Global,
            ..NextTimeout::default()
        };
        let found = resolver.resolve(&Uri::from_static(uri), &config, timeout);
        format!("{:?}", &found.unwrap()[..])
    }

    #[test]
    fn the_system_is_asked_once_in_a_while_and_not_for_each_request() {
        let resolver = Remembering::default();
        let (one, other) = ("https://127.0.0.1:1/", "https://127.0.0.2:1/");
        assert_eq!(ask(&resolver, one), "[127.0.0.1:1]");
        assert_eq!(ask(&resolver, other), "[127.0.0.1:1]");
        let mut last = resolver.last.lock().unwrap();
        last.as_mut().unwrap().0 = Instant::now().checked_sub(LASTING).unwrap();
        drop(last);
        assert_eq!(ask(&resolver, other), "[127.0.0.2:1]");
    }
}
