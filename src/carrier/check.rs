//! Whether an account fits the carrier it names. The composition root asks before it listens.

use super::{CARRIERS, Carrier, Proof, find};
use crate::config::Account;
use crate::model::AccountName;

/// Why an account cannot be served as configured.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AccountFault {
    /// No carrier has this key.
    #[error("unknown carrier `{carrier}`; use one of {}", keys().join(", "))]
    UnknownCarrier {
        /// The account.
        account: AccountName,
        /// What it names.
        carrier: String,
    },
    /// The carrier signs, and there is nothing to check it with.
    #[error(
        "{carrier} signs its callbacks, and without the secret none of them \
         would be believed; give the {secret} under `secrets`"
    )]
    MissingSecret {
        /// The account.
        account: AccountName,
        /// Its carrier.
        carrier: &'static str,
        /// What the carrier's console calls the secret.
        secret: &'static str,
    },
    /// The carrier signs nothing, so the secrets would protect nothing.
    #[error(
        "{carrier} signs nothing, so `secrets` would not be checked; remove \
         them, and rely on TLS, address lists and an account name nobody guesses"
    )]
    SuperfluousSecrets {
        /// The account.
        account: AccountName,
        /// Its carrier.
        carrier: &'static str,
    },
}

/// The carrier of an account, if the account has what that carrier needs and nothing that it
/// would ignore.
///
/// # Errors
/// [`AccountFault`], which says what would be right. It does not repeat where in the
/// configuration the account stands; `account.origin` does.
pub fn check_account(account: &Account) -> Result<&'static dyn Carrier, AccountFault> {
    let name = || account.name.clone();
    let carrier = find(&account.carrier).ok_or_else(|| AccountFault::UnknownCarrier {
        account: name(),
        carrier: account.carrier.clone(),
    })?;
    let spec = carrier.spec();
    match spec.proof {
        Proof::Signature { secret } if account.secrets.is_empty() => {
            Err(AccountFault::MissingSecret { account: name(), carrier: spec.key, secret })
        }
        Proof::Nothing if !account.secrets.is_empty() => {
            Err(AccountFault::SuperfluousSecrets { account: name(), carrier: spec.key })
        }
        Proof::Nothing | Proof::Signature { .. } => Ok(carrier),
    }
}

fn keys() -> Vec<String> {
    CARRIERS.iter().map(|carrier| format!("`{}`", carrier.spec().key)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::carrier::tests::account;

    fn fault(carrier: &str, secrets: &[&str]) -> Option<String> {
        check_account(&account(carrier, secrets)).err().map(|fault| fault.to_string())
    }

    #[test]
    fn a_fitting_account_gets_its_carrier() {
        let found = check_account(&account("yunpian", &["apikey"])).map(|found| found.spec().key);
        assert_eq!(found, Ok("yunpian"));
        assert_eq!(fault("aliyun-sms", &[]), None);
    }

    #[test]
    fn a_fault_says_what_would_be_right() {
        let unknown = fault("aliyun", &[]).expect("a fault");
        assert!(unknown.contains("`aliyun-sms`, `tencent-vms`, `yunpian`"), "{unknown}");
        let missing = fault("yunpian", &[]).expect("a fault");
        assert!(missing.contains("give the apikey under `secrets`"), "{missing}");
        let superfluous = fault("tencent-vms", &["hunter2"]).expect("a fault");
        assert!(superfluous.contains("remove them"), "{superfluous}");
        assert!(!superfluous.contains("hunter2"));
    }
}
