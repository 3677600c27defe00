//! Two gateways on one store: the second one ends with the reason, and the first is not disturbed.

use crate::support::{Caller, Gateway, Platform};

#[tokio::test]
async fn it_names_the_directory_and_what_to_do() {
    let platform = Platform::start().await;
    let gateway = Gateway::start(&platform).await;
    let mut caller = Caller::new(1);
    gateway.take(&caller.take(3)).await;
    let second = gateway.site.run("serve").await;
    assert_eq!(second.code, Some(2));
    let last = second.stderr.lines().last().expect("it says why");
    assert!(last.starts_with("bridge8890: another gateway serves from data;"), "{last}");
    assert!(last.contains("or give this one its own store.directory"), "{last}");
    gateway.take(&caller.take(3)).await;
    gateway.drained().await;
    assert_eq!(platform.effects().len(), 6);
    gateway.finish().await;
}
