/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A key as six words that two people compare on the telephone. The list is
 * fixed: another one, and the same key would read differently.
 */
#include "policy/policy.h"

#include <string.h>

#include "base/hash.h"

/* 256 words, a byte each; all at most eight letters. */
/* clang-format off */
static const char *const words[256] = {
    "acorn", "actor", "adult", "album", "amber", "angle", "ankle", "apple",
    "apron", "arrow", "atlas", "attic", "autumn", "bacon", "badge", "baker",
    "balloon", "banana", "banjo", "barrel", "basil", "basket", "beach",
    "beaver", "bell", "berry", "bicycle", "bishop", "blanket", "bonfire",
    "bottle", "branch", "bread", "brick", "bridge", "broom", "bucket",
    "buffalo", "butter", "button", "cabin", "cactus", "camel", "camera",
    "candle", "canoe", "carbon", "carpet", "castle", "cedar", "cello",
    "cherry", "chimney", "cinema", "circle", "clock", "cloud", "coffee",
    "comet", "copper", "corner", "cotton", "cousin", "crayon", "cricket",
    "crown", "crystal", "curtain", "daisy", "dancer", "desert", "diamond",
    "dinner", "doctor", "dolphin", "donkey", "dragon", "drawer", "drum",
    "eagle", "earth", "easel", "echo", "elbow", "elephant", "empire", "engine",
    "evening", "falcon", "family", "farmer", "feather", "fence", "fiddle",
    "finger", "flute", "forest", "fossil", "fountain", "fox", "garden",
    "garlic", "gate", "giraffe", "glacier", "globe", "glove", "goblet",
    "granite", "guitar", "hammer", "harbour", "hazel", "hedge", "helmet",
    "heron", "hockey", "honey", "hotel", "hunter", "iceberg", "igloo",
    "insect", "iron", "island", "ivory", "jacket", "jasmine", "jelly",
    "jigsaw", "judge", "jungle", "kettle", "kidney", "kitten", "koala",
    "ladder", "lagoon", "lantern", "lemon", "leopard", "letter", "lily",
    "linen", "lizard", "lobster", "lotus", "magnet", "mango", "maple",
    "marble", "market", "meadow", "melon", "meteor", "mirror", "monkey",
    "motor", "mountain", "museum", "mustard", "napkin", "needle", "nephew",
    "nickel", "noodle", "north", "nutmeg", "oasis", "ocean", "olive", "onion",
    "opera", "orange", "orbit", "orchid", "otter", "oven", "oyster", "paddle",
    "palace", "panda", "paper", "parrot", "pasta", "peanut", "pebble",
    "pencil", "pepper", "piano", "pilot", "planet", "pocket", "poem", "potato",
    "prince", "pulse", "puzzle", "quarry", "queen", "rabbit", "radar", "raven",
    "ribbon", "river", "robin", "rocket", "rubber", "saddle", "sailor",
    "salad", "salmon", "sandal", "saturn", "school", "scooter", "shadow",
    "silver", "singer", "spider", "sponge", "squirrel", "stone", "sugar",
    "summer", "sunset", "table", "teapot", "temple", "thunder", "ticket",
    "tiger", "timber", "tomato", "tractor", "trumpet", "tulip", "tunnel",
    "turtle", "uncle", "valley", "velvet", "village", "violin", "volcano",
    "waffle", "walnut", "water", "whale", "window", "winter", "wizard", "wolf",
    "yellow", "zebra", "zipper",
};
/* clang-format on */

void policy_credential_words(char out[POLICY_WORDS_MAX],
                             const struct policy_credential *c)
{
    uint8_t hash[32];
    bool webauthn = strcmp(c->kind, POLICY_WEBAUTHN) == 0;
    hash256(hash, webauthn ? c->cose : c->key,
            webauthn ? c->cose_len : sizeof(c->key));
    snprintf(out, POLICY_WORDS_MAX, "%s %s %s %s %s %s", words[hash[0]],
             words[hash[1]], words[hash[2]], words[hash[3]], words[hash[4]],
             words[hash[5]]);
}
