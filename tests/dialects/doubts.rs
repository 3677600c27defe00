//! What works and should not stay is a warning, at its line.

use super::mistakes::marked;
use super::{account, parse};
use bridge8890::config::Problem;

/// What works and should not stay: the marked line, and parts of what is said about it.
const DOUBTFUL: &[(&str, &[&str])] = &[
    ("[answers.accepted]\nstatus = 302 # !", &["302 Found is a success to few carriers"]),
    (
        "[auth]\nscheme = \"digest\"\nalgorithm = \"hmac-md5\"\nover = \"${body:}${secret}\" # !\n\
         given = \"header:X-S\"",
        &["has ${secret}, which is the key already"],
    ),
    (
        "[auth]\nscheme = \"digest\"\nalgorithm = \"hmac-md5\"\nover = \"${body:}${header:X-N}\"\n\
         given = \"header:X-S\"\nnonce = \"header:X-N\" # !",
        &["auth.nonce: is not needed: the signature covers"],
    ),
    (
        "[auth]\nscheme = \"digest\"\nalgorithm = \"md5\"\nover = \"${id}${secret}\"\n\
         given = \"header:X-S\"\nnonce = \"header:X-N\" # !",
        &["`header:x-n` is not signed, so anybody can change it"],
    ),
    (
        "formats = [\"form\"]\n[auth]\nscheme = \"digest\"\nalgorithm = \"md5\"\n\
         over = \"${query:token}${secret}\"\ngiven = \"header:X-S\"\nnonce = \"token\" # !",
        &["`token` is not signed, so anybody can change it"],
    ),
    (
        "[auth] # !\nscheme = \"digest\"\nalgorithm = \"md5\"\nover = \"${body:}${secret}\"\n\
         given = \"header:X-S\"\ntime = { from = \"header:X-T\", form = \"epoch_s\" }",
        &["the time `header:x-t` is not signed"],
    ),
    (
        "[accounts.a]\ncarrier = \"aliyun-sms\"\nuser = \"u\" # !",
        &["accounts.a.user: is compared with nothing"],
    ),
    (
        "[accounts.a]\ncarrier = \"aliyun-sms\"\ntolerance = \"5m\" # !",
        &["accounts.a.tolerance: is compared with nothing"],
    ),
];

#[test]
fn what_works_and_should_not_stay_is_a_warning() {
    for (text, parts) in DOUBTFUL {
        let whole = text.starts_with("[accounts.a]");
        let file = if whole { (*text).to_owned() } else { account(text) };
        let config = parse(&file).unwrap_or_else(|problems| panic!("{file}\n{problems}"));
        let found: Vec<&Problem> = config.warnings.iter().collect();
        let [warning] = found.as_slice() else { panic!("not one warning:\n{file}\n{found:#?}") };
        let shown = warning.to_string();
        assert_eq!(warning.origin.line, marked(&file), "{file}\n{shown}");
        for part in *parts {
            assert!(shown.contains(part), "{part:?} is not in\n{shown}");
        }
    }
}
