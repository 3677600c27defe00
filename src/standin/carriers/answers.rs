//! What citizens answer: digits, level words, grievances, thanks, keys; invented throughout.

use rand::RngExt;
use rand::rngs::StdRng;

/// Whether the citizen wrote or pressed keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    /// A text message.
    Text,
    /// Keys in a call.
    Keys,
}

const LEVEL_WORDS: &[&str] =
    &["非常满意", "满意", "比较满意", "基本满意", "一般满意", "不满意", "不太满意", "非常不满意"];

/// Reasons that go with a good level: no grievance in them, so the digit before them stands.
const GOOD_REASONS: &[&str] = &[
    "窗口人员讲解得很清楚，材料一次就收齐了，当天拿到证，以后办事还来这里，谢谢你",
    "接线员语气温和，把流程一步一步说给我听，第二天就有人上门把路灯修好，谢谢你",
    "打了热线以后街道很快联系我，带着师傅把楼道清理干净，邻居们都看见了，谢谢你",
    "社保窗口周末也开门，取号以后十分钟就轮到我，资料用手机拍照就能上传，谢谢你",
];

const BAD_REASONS: &[&str] = &[
    "等了三个月还没解决",
    "来回跑了四趟，每次都说缺材料",
    "打电话没人接，去了没人管",
    "态度差，问什么都说不知道",
];

const GRIEVANCES: &[&str] = &[
    "我要投诉：小区供暖不热，室温只有15℃",
    "路灯坏了半个月一直没修，请派人来看",
    "楼下工地半夜施工，打了三次电话没人管",
    "去年的工程款一直拖欠，村里互相推诿",
    "自来水发黄，反映两次都没结果",
];

const USELESS: &[&str] = &["收到了,谢谢！", "👍", "好的", "你是哪位", "11", "退订"];

/// Keys as people press them: mostly one, sometimes twice, sometimes corrected, sometimes none.
const KEYS: &[&str] = &["1", "1", "1", "2", "2", "3", "4", "5", "1#", "11", "1*2#", "0", ""];

/// Draws answers.
pub(super) struct Answers;

impl Answers {
    /// A digit from 1 to 3 and a reason, about 120 bytes in all: one good rating under `asc`.
    pub(super) fn good_rating(rng: &mut StdRng) -> String {
        format!("{}，{}", rng.random_range(1..=3), pick(GOOD_REASONS, rng))
    }

    /// Any answer.
    pub(super) fn of(manner: Manner, rng: &mut StdRng) -> String {
        match manner {
            Manner::Keys => pick(KEYS, rng).to_owned(),
            Manner::Text => text(rng),
        }
    }
}

fn text(rng: &mut StdRng) -> String {
    match rng.random_range(0..100) {
        0..45 => rng.random_range(1..=5).to_string(),
        45..65 => pick(LEVEL_WORDS, rng).to_owned(),
        65..75 => Answers::good_rating(rng),
        75..83 => format!("不满意，{}", pick(BAD_REASONS, rng)),
        83..94 => pick(GRIEVANCES, rng).to_owned(),
        _ => pick(USELESS, rng).to_owned(),
    }
}

fn pick<'a>(texts: &[&'a str], rng: &mut StdRng) -> &'a str {
    texts[rng.random_range(0..texts.len())]
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use std::collections::HashSet;

    #[test]
    fn texts_are_varied() {
        let mut rng = StdRng::seed_from_u64(1);
        let texts: HashSet<String> =
            (0..1_000).map(|_| Answers::of(Manner::Text, &mut rng)).collect();
        assert!(texts.len() > 25, "{} different texts", texts.len());
    }

    #[test]
    fn keys_are_keys() {
        let mut rng = StdRng::seed_from_u64(1);
        for _ in 0..100 {
            let keys = Answers::of(Manner::Keys, &mut rng);
            assert!(keys.chars().all(|key| key.is_ascii_digit() || "*#".contains(key)), "{keys}");
        }
    }
}
