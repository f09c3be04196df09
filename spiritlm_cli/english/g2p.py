"""English letters to phones, for words that are in no dictionary.

An ordered table of rules: at each position in a word, the first rule that matches gives phones and consumes letters.
The rules cover common spellings only. That is enough for a forced aligner, which needs roughly the right number of
roughly the right phones, but not for speech synthesis. Phones are ARPABET without stress, as in CMUdict.
"""

import re

# A pattern for the letters, with context before (?<=) and after (?=) them, and their phones.
RULES = [
    # Endings.
    (r"(?<=t)ure(?=s?$)", "ER"),  # picture; the t is a rule below
    (r"(?<=[aeiouy][bcdfgklmnprstvz])ed$", "D"),
    (r"(?<=[td])ed$", "IH D"),
    (r"(?<=[cfkpsxh])ed$", "T"),
    (r"(?<=[a-z])ed$", "D"),
    (r"(?<=[cgsxz])es$", "IH Z"),
    (r"(?<=[a-z][a-z])es$", "Z"),
    (r"(?<=[a-z][a-z])e$", ""),
    (r"(?<=[a-z])ing(?=s?$)", "IH NG"),
    (r"(?<=[a-z])tion", "SH AH N"),
    (r"(?<=[a-z])ssion", "SH AH N"),
    (r"(?<=[a-z])sion", "ZH AH N"),
    (r"(?<=[a-z])cian", "SH AH N"),
    (r"(?<=[a-z])(?:cious|tious)", "SH AH S"),
    (r"(?<=[a-z])(?:tial|cial)", "SH AH L"),
    (r"(?<=[a-z])ous", "AH S"),
    (r"(?<=[a-z])ness", "N AH S"),
    (r"(?<=[a-z])less", "L AH S"),
    (r"(?<=[a-z])ful", "F AH L"),
    (r"(?<=[a-z])ment", "M AH N T"),
    (r"(?<=[a-z])able", "AH B AH L"),
    (r"(?<=[bcdfgkpstz])le(?=s?$)", "AH L"),
    (r"(?<=[a-z])ies$", "IY Z"),
    # Vowels before r.
    (r"arr", "AE R"),
    (r"are(?=s?$)", "EH R"),
    (r"(?<=w)ar", "AO R"),
    (r"ar", "AA R"),
    (r"air|ear(?=s?$)", "EH R"),
    (r"eer", "IH R"),
    (r"err", "EH R"),
    (r"ere(?=s?$)", "IH R"),
    (r"our|oar|oor|ore(?=s?$)", "AO R"),
    (r"(?<=w)or", "ER"),
    (r"or", "AO R"),
    (r"ire(?=s?$)", "AY ER"),
    (r"ure(?=s?$)", "Y UH R"),
    (r"(?:ear|er|ir|ur|yr)(?![aeiou])", "ER"),
    (r"er$", "ER"),
    # Vowel pairs.
    (r"augh|ough(?=t)", "AO"),
    (r"ough", "AH F"),
    (r"eigh|ai|ay|ei(?=n)|ey(?!$)", "EY"),
    (r"igh", "AY"),
    (r"au|aw", "AO"),
    (r"ee|ea|ie(?!$)|ei|ae", "IY"),
    (r"eau|oa|oe", "OW"),
    (r"eu|ew", "UW"),
    (r"ie$|ye$", "AY"),
    (r"ey$", "IY"),
    (r"oi|oy", "OY"),
    (r"oo(?=k)", "UH"),
    (r"oo", "UW"),
    (r"ou|ow(?=[nlds])", "AW"),
    (r"ow", "OW"),
    (r"(?<=[gq])u(?=[aeiy])", "W"),
    (r"ui|ue", "UW"),
    # One vowel, one consonant, silent e.
    (r"a(?=[bcdfgklmnpstvz]e(?:s|d)?$)", "EY"),
    (r"e(?=[bcdfgklmnpstvz]e(?:s|d)?$)", "IY"),
    (r"i(?=[bcdfgklmnpstvz]e(?:s|d)?$)", "AY"),
    (r"o(?=[bcdfgklmnpstvz]e(?:s|d)?$)", "OW"),
    (r"u(?=[bcdfgklmnpstvz]e(?:s|d)?$)", "UW"),
    (r"y(?=[bcdfgklmnpstvz]e(?:s|d)?$)", "AY"),
    # One vowel.
    (r"a(?=ll|lk)", "AO"),
    (r"a$", "AH"),
    (r"^a(?=[bcdfglmnprst][aeiou])", "AH"),
    (r"a", "AE"),
    (r"e(?=[aiou])", "IY"),
    (r"^([^aeiouy]*)e$", "IY"),
    (r"e", "EH"),
    (r"i(?=nd$|ld$)", "AY"),
    (r"i(?=[aou])", "IY"),
    (r"i$", "IY"),
    (r"i", "IH"),
    (r"o$|o(?=ld|st$|ll)|o(?=[bcdfgklmnpstvz][aeiou])", "OW"),
    (r"o", "AA"),
    (r"u(?=ll|sh)", "UH"),
    (r"u(?=[bcdfgklmnprstvz][aeiou])|u$", "UW"),
    (r"u", "AH"),
    (r"^y(?=[aeiou])", "Y"),
    (r"(?<=^[a-z])y$|(?<=^[a-z][a-z])y$", "AY"),
    (r"y(?=[aeiou])", "Y"),
    (r"y$", "IY"),
    (r"y", "IH"),
    # Consonants.
    (r"bb|(?<!m)b|b(?!$)", "B"),
    (r"b", ""),
    (r"tch|ch(?![rl])", "CH"),
    (r"^sch", "SH"),
    (r"sc(?=[eiy])", "S"),
    (r"cc(?=[eiy])", "K S"),
    (r"c(?=[eiy])", "S"),
    (r"ck|cc|ch|cq|c", "K"),
    (r"dge?(?![aour])", "JH"),
    (r"dd|d", "D"),
    (r"ff|f", "F"),
    (r"^gh", "G"),
    (r"gh", ""),
    (r"^gn|gn(?=s?$)", "N"),
    (r"gg", "G"),
    (r"g(?=[eiy])", "JH"),
    (r"g", "G"),
    (r"h(?=[aeiouy])", "HH"),
    (r"h", ""),
    (r"j", "JH"),
    (r"^kn", "N"),
    (r"kk|kh|k", "K"),
    (r"ll|l", "L"),
    (r"mm|mn(?=s?$)|m", "M"),
    (r"ng(?=s?$)", "NG"),
    (r"n(?=[gkqx]|c(?![eiy]))", "NG"),
    (r"nn|n", "N"),
    (r"ph", "F"),
    (r"^ps", "S"),
    (r"^pn", "N"),
    (r"pp|p", "P"),
    (r"q", "K"),
    (r"rr|rh|r", "R"),
    (r"sh", "SH"),
    (r"(?<=[aeiouy])s(?=[eiy])", "Z"),
    (r"(?<=[bdgvmnlraeiouyw])s$", "Z"),
    (r"ss|s", "S"),
    (r"t(?=ure)", "CH"),
    (r"th", "TH"),
    (r"tt|t", "T"),
    (r"vv|v", "V"),
    (r"wh", "W"),
    (r"^wr", "R"),
    (r"w(?=[aeiouy])", "W"),
    (r"w", ""),
    (r"^x", "Z"),
    (r"x", "K S"),
    (r"zz|z", "Z"),
]
_COMPILED = [(re.compile(pattern), phones.split()) for pattern, phones in RULES]


def letters_to_phones(word: str) -> list[str]:
    """The pronunciation of a word of the letters a-z: "flurb" gives F L ER B. May be empty ("h").

    Raises ValueError for another character.
    """
    phones: list[str] = []
    index = 0
    while index < len(word):
        for pattern, rule_phones in _COMPILED:
            match = pattern.match(word, index)
            if match and match.end() > index:
                phones += rule_phones
                index = match.end()
                break
        else:
            raise ValueError(f"no pronunciation for {word[index]!r}")
    return phones
