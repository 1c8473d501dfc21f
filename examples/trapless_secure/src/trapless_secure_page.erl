%% The one page, whatever is asked for: what the server knows about the connection it came by.
-module(trapless_secure_page).
-export([do/1]).

-include_lib("inets/include/httpd.hrl").

do(#mod{socket = Socket}) ->
    {ok, Connection} = ssl:connection_information(Socket, [protocol, selected_cipher_suite]),
    #{protocol := Version, selected_cipher_suite := Suite} = maps:from_list(Connection),
    Page = io_lib:format("hello from Erlang/OTP ~ts over ~ts with ~ts~n", [
        erlang:system_info(otp_release), Version, ssl:suite_to_str(Suite)]),
    Head = [{code, 200}, {content_type, "text/plain"}, {content_length, integer_to_list(iolist_size(Page))}],
    {proceed, [{response, {response, Head, Page}}]}.
