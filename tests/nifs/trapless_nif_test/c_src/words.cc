// A NIF in C++ with containers: counts words, the most frequent first.
#include <erl_nif.h>

#include <algorithm>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

namespace {

struct Length {
    virtual ~Length() = default;
    virtual std::size_t of(const std::string &word) const { return word.size(); }
};

std::map<int, std::string> names = {{1, "one"}, {2, "two"}};

ERL_NIF_TERM count(ErlNifEnv *env, int, const ERL_NIF_TERM argv[]) {
    ErlNifBinary text;
    if (!enif_inspect_binary(env, argv[0], &text)) {
        return enif_make_badarg(env);
    }
    std::unordered_map<std::string, int> counts;
    std::string word;
    for (std::size_t i = 0; i <= text.size; i++) {
        if (i < text.size && text.data[i] != ' ') {
            word += static_cast<char>(text.data[i]);
        } else if (!word.empty()) {
            counts[word]++;
            word.clear();
        }
    }
    std::vector<std::pair<int, std::string>> sorted;
    for (const auto &entry : counts) {
        sorted.emplace_back(-entry.second, entry.first);
    }
    std::sort(sorted.begin(), sorted.end());
    Length *length = new Length;
    std::vector<ERL_NIF_TERM> terms;
    for (const auto &entry : sorted) {
        terms.push_back(enif_make_tuple3(env, enif_make_atom(env, entry.second.c_str()),
                                         enif_make_atom(env, names[-entry.first].c_str()),
                                         enif_make_ulong(env, length->of(entry.second))));
    }
    delete length;
    return enif_make_list_from_array(env, terms.data(), terms.size());
}

ErlNifFunc functions[] = {{"count", 1, count, 0}};

} // namespace

ERL_NIF_INIT(trapless_nif_words, functions, NULL, NULL, NULL, NULL)
