%% A certificate that signs itself, for a browser to warn of or a client to be told.
-module(trapless_secure_certificate).
-export([self_signed/1]).

-include_lib("public_key/include/public_key.hrl").

-define(DAYS, 365).

%% A new key on P-256 and a certificate of it for the host name, as ssl's option certs_keys wants them.
-spec self_signed(string()) -> #{cert := binary(), key := {'ECPrivateKey', binary()}}.
self_signed(Host) ->
    Key = #'ECPrivateKey'{publicKey = Point} = public_key:generate_key({namedCurve, secp256r1}),
    Name = {rdnSequence, [[#'AttributeTypeAndValue'{type = ?'id-at-commonName', value = {utf8String, list_to_binary(Host)}}]]},
    Now = erlang:system_time(second),
    Certificate = #'OTPTBSCertificate'{
        version = v3,
        serialNumber = binary:decode_unsigned(crypto:strong_rand_bytes(8)),
        signature = #'SignatureAlgorithm'{algorithm = ?'ecdsa-with-SHA256', parameters = asn1_NOVALUE},
        issuer = Name,
        subject = Name,
        %% Clocks differ, and this one may be a virtual machine's.
        validity = #'Validity'{notBefore = utc(Now - 86400), notAfter = utc(Now + ?DAYS * 86400)},
        subjectPublicKeyInfo = #'OTPSubjectPublicKeyInfo'{
            algorithm = #'PublicKeyAlgorithm'{algorithm = ?'id-ecPublicKey', parameters = {namedCurve, ?'secp256r1'}},
            subjectPublicKey = #'ECPoint'{point = Point}},
        extensions = [
            #'Extension'{extnID = ?'id-ce-basicConstraints', critical = true, extnValue = #'BasicConstraints'{cA = true}},
            #'Extension'{extnID = ?'id-ce-subjectAltName', critical = false,
                         extnValue = [{dNSName, Host}, {iPAddress, <<127, 0, 0, 1>>}]}]},
    #{cert => public_key:pkix_sign(Certificate, Key), key => {'ECPrivateKey', public_key:der_encode('ECPrivateKey', Key)}}.

utc(Seconds) ->
    {{Y, Mo, D}, {H, Mi, S}} = calendar:system_time_to_universal_time(Seconds, second),
    {utcTime, lists:flatten(io_lib:format("~2..0b~2..0b~2..0b~2..0b~2..0b~2..0bZ", [Y rem 100, Mo, D, H, Mi, S]))}.
