//! SM2 against what the standard prints and what OpenSSL writes. The other way was tried once by
//! hand: OpenSSL 3.0.19 verified a signature of ours (`pkeyutl -verify`) and read a ciphertext
//! (`pkeyutl -decrypt`).

use super::*;
use proptest::prelude::*;

/// GM/T 0003.5-2012, annexes A.2 and C.2: the key of both examples.
const PRIVATE: &str = "3945208F7B2144B13F36E38AC6D39F95889393692860B51A42FB81EF4DF7C5B8";
const PUBLIC: &str = "09F9DF311E5421A150DD7D161E4BC5C672179FAD1833FC076BB08FF356F35020\
                      CCEA490CE26775A52DC6EA718CC1AA600AED05FBF35E084A6632F6072DA9AD13";

/// GM/T 0003.5-2012, annex A.2: r and s for "message digest".
const SIGNED: &str = "F5A03B0648D2C4630EEAC513E1BB81A15944DA3827D5B74143AC7EACEEE720B3\
                      B1B6AA29DF212FD8763182BC0D421CA1BB9038FD1F7F42D4840B69C485BBC1AA";

/// GM/T 0003.5-2012, annex C.2: the parts for "encryption standard". The 04 here is of x itself.
const C1: &str = "04EBFC718E8D1798620432268E77FEB6415E2EDE0E073C0F4F640ECD2E149A73\
                  E858F9D81E5430A57B36DAAB8F950A3C64E6EE6A63094D99283AFF767E124DF0";
const C2: &str = "21886CA989CA9C7D58087307CA93092D651EFA";
const C3: &str = "59983C18F809E262923C53AEC295D30383B54E39D609D160AFCB1908D0BD8766";

/// Made with OpenSSL 3.0.19: `openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:SM2`.
const OPENSSL_PRIVATE: &str = "-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqBHM9VAYItBG0wawIBAQQghtXX/E1zEgFh7CHm
SwZg98tJh0c3xlL/l8AY8C6MBdehRANCAAQaQVjNWxSv6mqqu+/V6vr2OMLE5jP6
tb/HLfNmXZNJKa2z8+TrjNERhxfJ4LImgzGnWsJf8v33n7u5D4P4Pgn/
-----END PRIVATE KEY-----
";
/// `openssl pkey -pubout`.
const OPENSSL_PUBLIC: &str = "-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoEcz1UBgi0DQgAEGkFYzVsUr+pqqrvv1er69jjCxOYz
+rW/xy3zZl2TSSmts/Pk64zREYcXyeCyJoMxp1rCX/L995+7uQ+D+D4J/w==
-----END PUBLIC KEY-----
";
const OPENSSL_MESSAGE: &[u8] = b"2026030510203012345678appword";
/// `openssl pkeyutl -sign -rawin -digest sm3 -pkeyopt distid:ID`, with the default id and with
/// that of RFC 8998, section 3.2.1.
const OPENSSL_SIGNED: [(&str, &str); 2] = [
    (
        DEFAULT_ID,
        "30450220150e11200d73b0bb50fae11e50803d34beb6d2aad3ccb319800e34d8dbadd584022100ceb3fd1655d5\
         7de2593f0c4c3f5140d9eeb2ae9238a4a41f6c8628cec4daa618",
    ),
    (
        "TLSv1.3+GM+Cipher+Suite",
        "30440220458aa222246ba18566d2f9611abec3ba6f20ac0c7997df9325ee180a7f5b00ee02205a40f46269cb73\
         c27cfccf45cf94eb4c573b6c884994b757377c12f4e82d6b2a",
    ),
];
/// `openssl pkeyutl -encrypt -pubin` of 不满意，等了三个月.
const OPENSSL_ENCRYPTED: &str = "\
    30818302202c05f007cb2a1ef0eb6f5eecde6caf9c582c9027cd998d6ba623d5e9a52d6e130220590beb45f513315704\
    1d54267e563cec8b9153476b4534419f425cf3f64f7ed30420c00d8ae2900d4950491bea5bce0ff014f064c1d20e1b1b\
    3f9c366d82ab6463d6041b6b3532f896e1a3c1778133f76a5c184feda25e70c3867b31357d63";

const LAYOUTS: [Layout; 5] = [
    Layout::C1C3C2 { prefix: true },
    Layout::C1C3C2 { prefix: false },
    Layout::C1C2C3 { prefix: true },
    Layout::C1C2C3 { prefix: false },
    Layout::Der,
];

fn bytes(hex: &str) -> Vec<u8> {
    hex::decode(hex).expect("hex")
}

fn secret(text: &str) -> Secret {
    Secret::new(text.as_bytes().to_vec())
}

#[test]
fn the_signature_that_the_standard_prints_is_right() {
    let key = VerifyingKey::read(PUBLIC, DEFAULT_ID).expect("a key");
    let signature = Signature::read(&bytes(SIGNED), SignatureForm::Raw).expect("a signature");
    assert!(key.verify(b"message digest", &signature));
    assert!(!key.verify(b"message digesT", &signature));
    let another = VerifyingKey::read(PUBLIC, "somebody").expect("a key");
    assert!(!another.verify(b"message digest", &signature), "the id is signed too");
}

#[test]
fn the_ciphertext_that_the_standard_prints_is_read_in_every_layout() {
    let key = DecryptionKey::read(&secret(PRIVATE)).expect("a key");
    let read = |text: &str, layout| key.decrypt(&bytes(text), layout);
    for (text, layout) in [
        (format!("04{C1}{C3}{C2}"), Layout::C1C3C2 { prefix: true }),
        (format!("{C1}{C3}{C2}"), Layout::C1C3C2 { prefix: false }),
        (format!("04{C1}{C2}{C3}"), Layout::C1C2C3 { prefix: true }),
        (format!("{C1}{C2}{C3}"), Layout::C1C2C3 { prefix: false }),
    ] {
        let message = read(&text, layout).unwrap_or_else(|error| panic!("{layout:?}: {error}"));
        assert_eq!(&message[..], b"encryption standard");
    }
    let text = format!("04{C1}{C3}{C2}");
    assert_eq!(read(&text, Layout::C1C2C3 { prefix: true }), Err(CipherError::Unreadable));
}

#[test]
fn what_openssl_signs_and_encrypts_is_read() {
    for (id, signed) in OPENSSL_SIGNED {
        let key = VerifyingKey::read(OPENSSL_PUBLIC, id).expect("a key");
        let signature = Signature::read(&bytes(signed), SignatureForm::Der).expect("a signature");
        assert!(key.verify(OPENSSL_MESSAGE, &signature), "{id}");
        let raw = signature.write(SignatureForm::Raw);
        assert_eq!(Signature::read(&raw, SignatureForm::Raw), Some(signature));
        assert_eq!(signature.write(SignatureForm::Der), bytes(signed));
    }
    let key = DecryptionKey::read(&secret(OPENSSL_PRIVATE)).expect("a key");
    let message = key.decrypt(&bytes(OPENSSL_ENCRYPTED), Layout::Der).expect("ours");
    assert_eq!(&message[..], "不满意，等了三个月".as_bytes());
}

#[test]
fn keys_are_read_as_hex_and_as_pem() {
    let own = |text: &str| {
        let key = SigningKey::read(&secret(text), DEFAULT_ID).expect("a key");
        (key.sign(b"any"), key.verifying_key())
    };
    let digits = "86d5d7fc4d73120161ec21e64b0660f7cb49874737c652ff97c018f02e8c05d7\n";
    let (of_pem, key) = own(OPENSSL_PRIVATE);
    assert_eq!(own(digits).0, of_pem);
    assert!(key.verify(b"any", &of_pem));
    for public in [PUBLIC.to_owned(), format!("04{PUBLIC}"), PUBLIC.to_lowercase()] {
        let key = VerifyingKey::read(&public, DEFAULT_ID).expect("a key");
        let signature = Signature::read(&bytes(SIGNED), SignatureForm::Raw).expect("a signature");
        assert!(key.verify(b"message digest", &signature), "{public}");
    }
}

#[test]
fn what_is_no_key_is_refused_and_not_repeated() {
    let zero = "0".repeat(64);
    for text in ["", "hello", &PRIVATE[2..], &zero, &"f".repeat(64), OPENSSL_PUBLIC, "-----"] {
        let refused = SigningKey::read(&secret(text), DEFAULT_ID).expect_err(text);
        assert_eq!(refused, KeyError::Private);
        assert_eq!(DecryptionKey::read(&secret(text)).err(), Some(KeyError::Private));
        assert!(text.len() < 6 || !refused.to_string().contains(text));
    }
    for text in ["", "hello", &PUBLIC[2..], &"0".repeat(128), &"f".repeat(128), OPENSSL_PRIVATE] {
        assert_eq!(EncryptionKey::read(text).err(), Some(KeyError::Public), "{text}");
    }
    let id = "x".repeat(LONGEST_ID + 1);
    assert_eq!(SigningKey::read(&secret(PRIVATE), &id).err(), Some(KeyError::Id));
    assert!(SigningKey::read(&secret(PRIVATE), &id[1..]).is_ok());
}

#[test]
fn nothing_shows_a_private_key() {
    let signing = SigningKey::read(&secret(PRIVATE), DEFAULT_ID).expect("a key");
    let decryption = DecryptionKey::read(&secret(PRIVATE)).expect("a key");
    assert_eq!(format!("{signing:?}{decryption:?}"), "SigningKey(…)DecryptionKey(…)");
}

#[test]
fn nothing_is_not_encrypted() {
    let key = EncryptionKey::read(PUBLIC).expect("a key");
    for layout in LAYOUTS {
        assert_eq!(key.encrypt(b"", layout, [7; 32]), Err(CipherError::Empty));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn what_is_encrypted_is_read_again_and_nothing_else(
        message in prop::collection::vec(any::<u8>(), 1..300),
        seed in any::<Seed>(),
        layout in prop::sample::select(&LAYOUTS),
        place in any::<prop::sample::Index>(),
    ) {
        let key = DecryptionKey::read(&secret(PRIVATE)).expect("a key");
        let writer = key.encryption_key();
        let mut ciphertext = writer.encrypt(&message, layout, seed).expect("not empty");
        prop_assert_eq!(&key.decrypt(&ciphertext, layout).expect("ours")[..], &message[..]);
        let place = place.index(ciphertext.len());
        ciphertext[place] ^= 1;
        prop_assert_eq!(key.decrypt(&ciphertext, layout), Err(CipherError::Unreadable));
    }

    #[test]
    fn what_is_signed_is_right_in_both_forms(message in any::<Vec<u8>>(), id in ".{0,40}") {
        let key = SigningKey::read(&secret(PRIVATE), &id).expect("a key");
        let signature = key.sign(&message);
        for form in [SignatureForm::Der, SignatureForm::Raw] {
            let read = Signature::read(&signature.write(form), form).expect("a signature");
            prop_assert!(key.verifying_key().verify(&message, &read));
        }
        let mut other = message;
        other.push(b' ');
        prop_assert!(!key.verifying_key().verify(&other, &signature));
    }

    #[test]
    fn anything_else_is_refused(bytes in any::<Vec<u8>>(), text in ".{0,200}") {
        let key = DecryptionKey::read(&secret(PRIVATE)).expect("a key");
        for layout in LAYOUTS {
            prop_assert!(key.decrypt(&bytes, layout).is_err());
        }
        for form in [SignatureForm::Der, SignatureForm::Raw] {
            if let Some(signature) = Signature::read(&bytes, form) {
                let own = SigningKey::read(&secret(PRIVATE), DEFAULT_ID).expect("a key");
                prop_assert!(!own.verifying_key().verify(b"any", &signature));
            }
        }
        prop_assert!(EncryptionKey::read(&text).is_err());
        for encoding in [Encoding::Hex, Encoding::Base64] {
            prop_assert_eq!(encoding.read(&encoding.write(&bytes)), Some(bytes.clone()));
            let _read = encoding.read(&text);
        }
    }
}
