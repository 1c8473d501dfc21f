%% Known answers of crypto, each from the document that is named beside it.
-module(trapless_secure_vectors).
-export([check/0]).

%% Fails with the first answer that is wrong, by its name.
-spec check() -> ok.
check() ->
    lists:foreach(fun({Name, Got, Expected}) ->
        Got =:= Expected orelse error({wrong_answer, Name, Got})
    end, digests() ++ macs() ++ ciphers() ++ keys() ++ signatures()).

hex(Text) -> binary:decode_hex(iolist_to_binary(Text)).

digests() ->
    [{Type, crypto:hash(Type, "abc"), hex(Expected)} || {Type, Expected} <- [
        %% RFC 1321, A.5, and RFC 1320, A.5
        {md5, "900150983cd24fb0d6963f7d28e17f72"},
        {md4, "a448017aaf21d8525fc10ae87aa6729d"},
        %% FIPS 180-4 and 202, the examples of NIST
        {sha, "a9993e364706816aba3e25717850c26c9cd0d89d"},
        {sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {sha512, ["ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a",
                  "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"]},
        {sha3_256, "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532"},
        %% RFC 7693, A
        {blake2b, ["ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d1",
                   "7d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923"]}]].

macs() ->
    [%% RFC 4231, 4.3
     {hmac, crypto:mac(hmac, sha256, "Jefe", "what do ya want for nothing?"),
      hex("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")},
     %% RFC 4493, 4
     {cmac, crypto:mac(cmac, aes_128_cbc, hex("2b7e151628aed2a6abf7158809cf4f3c"), hex("6bc1bee22e409f96e93d7e117393172a")),
      hex("070a16b46b4d4144f79bdd9dd04a287c")},
     %% RFC 7914, 11
     {pbkdf2, crypto:pbkdf2_hmac(sha256, <<"passwd">>, <<"salt">>, 1, 64),
      hex(["55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc",
           "49ca9cccf179b645991664b39d77ef317c71b845b1e30bd509112041d3a19783"])},
     %% OTP can only do this where its build knows that libcrypto can.
     {equal, crypto:hash_equals(<<"tag">>, <<"tag">>), true},
     {unequal, crypto:hash_equals(<<"tag">>, <<"tap">>), false}].

ciphers() ->
    {GcmKey, GcmIv, GcmAad} = {hex("feffe9928665731c6d6a8f9467308308"), hex("cafebabefacedbaddecaf888"),
                               hex("feedfacedeadbeeffeedfacedeadbeefabaddad2")},
    GcmText = hex(["d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72",
                   "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"]),
    Gcm = {hex(["42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e",
                "21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091"]), hex("5bc94fbc3221a5db94fae95ae7121a47")},
    {GcmOut, GcmTag} = Gcm,
    Poly = crypto:crypto_one_time_aead(chacha20_poly1305,
        hex("808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f"), hex("070000004041424344454647"),
        "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.",
        hex("50515253c0c1c2c3c4c5c6c7"), true),
    [%% The Galois/Counter Mode of Operation, B, test case 4
     {aes_gcm, crypto:crypto_one_time_aead(aes_128_gcm, GcmKey, GcmIv, GcmText, GcmAad, true), Gcm},
     {aes_gcm_back, crypto:crypto_one_time_aead(aes_128_gcm, GcmKey, GcmIv, GcmOut, GcmAad, GcmTag, false), GcmText},
     {aes_gcm_forged, crypto:crypto_one_time_aead(aes_128_gcm, GcmKey, GcmIv, GcmOut, GcmAad, <<0:128>>, false), error},
     %% NIST SP 800-38A, F.2.5 and F.5.5
     {aes_cbc, crypto:crypto_one_time(aes_256_cbc,
        hex("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4"), hex("000102030405060708090a0b0c0d0e0f"),
        hex("6bc1bee22e409f96e93d7e117393172a"), true), hex("f58c4c04d6e5f1ba779eabfb5f7bfbd6")},
     {aes_ctr, crypto:crypto_one_time(aes_256_ctr,
        hex("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4"), hex("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff"),
        hex("6bc1bee22e409f96e93d7e117393172a"), true), hex("601ec313775789a5b7a7f504bbf3d228")},
     %% RFC 8439, 2.8.2: the end of the text, and the tag
     {chacha20_poly1305, {binary:part(element(1, Poly), 112, 2), element(2, Poly)},
      {hex("6116"), hex("1ae10b594f09e26a7e902ecbd0600691")}},
     %% RFC 6229, 2: the key 0102030405. It comes from the legacy provider.
     {rc4, crypto:crypto_one_time(rc4, hex("0102030405"), <<0:128>>, true), hex("b2396305f03dc027ccc3524a0a1118a8")}].

keys() ->
    Alice = hex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a"),
    Bob = hex("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f"),
    [%% RFC 7748, 6.1
     {x25519, crypto:compute_key(ecdh, Bob, Alice, x25519),
      hex("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742")},
     %% NIST CAVP, KAS ECC CDH primitive, P-256, count 0
     {ecdh, crypto:compute_key(ecdh,
        hex(["04700c48f77f56584c5cc632ca65640db91b6bacce3a4df6b42ce7cc838833d287",
             "db71e509e3fd9b060ddb20ba5c51dcc5948d46fbf640dfe0441782cab85fa4ac"]),
        hex("7d7dc5f71eb29ddaf80d6214632eeae03d9058af1fb6d22ed80badb62bc1a534"), secp256r1),
      hex("46fc62106420ff012e54a434fbdd2d25ccc5852060561e68040dd7778997bd7b")}].

signatures() ->
    EdSecret = hex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"),
    EdPublic = hex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"),
    EdSignature = hex(["92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da",
                       "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"]),
    EcPublic = hex(["0460fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6",
                    "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299"]),
    EcSignature = hex(["3046022100efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716",
                       "022100f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8"]),
    {RsaPublic, RsaSecret} = crypto:generate_key(rsa, {2048, 65537}),
    RsaSignature = crypto:sign(rsa, sha256, "sample", RsaSecret, [{rsa_padding, rsa_pkcs1_pss_padding}]),
    RsaVerify = fun(Text) ->
        crypto:verify(rsa, sha256, Text, RsaSignature, RsaPublic, [{rsa_padding, rsa_pkcs1_pss_padding}])
    end,
    [%% RFC 8032, 7.1, test 2
     {ed25519, crypto:sign(eddsa, none, hex("72"), [EdSecret, ed25519]), EdSignature},
     {ed25519_verify, crypto:verify(eddsa, none, hex("72"), EdSignature, [EdPublic, ed25519]), true},
     {ed25519_forged, crypto:verify(eddsa, none, hex("73"), EdSignature, [EdPublic, ed25519]), false},
     %% RFC 6979, A.2.5, SHA-256, "sample"
     {ecdsa_verify, crypto:verify(ecdsa, sha256, "sample", EcSignature, [EcPublic, secp256r1]), true},
     {ecdsa_forged, crypto:verify(ecdsa, sha256, "simple", EcSignature, [EcPublic, secp256r1]), false},
     %% A key made here
     {rsa_pss, RsaVerify("sample"), true},
     {rsa_pss_forged, RsaVerify("simple"), false}].
