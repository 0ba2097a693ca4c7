"""The words around a claim: lead-ins that say where it is from, sentences that only point, titles in quotes."""

import re

_PLACE = (
    r"(?:sources?|documents?|documentation|articles?|pages?|papers?|reports?|texts?|notes|material|context|evidence|"
    r"excerpts?|passages?|sections?|tables?|chapters?|handbooks?|guides?|guidelines?|guidance|proposals?|tutorials?|"
    r"changelogs?|entry|entries|files?|manuals?|books?|studies|study|standards?|specifications?|appendix|lists?|"
    r"information|data|results|findings|websites?|posts?|quellen?|fuentes?|fonti)"
)
"""Nouns for where something is written."""

_QUOTED = r'(?:"[^"\n]{1,120}"|\'[^\'\n]{1,120}\')'
_SAYS = (
    r"(?:says?|states?|notes?|reports?|indicates?|mentions?|confirms?|explains?|writes?|shows?|suggests?|specif(?:y|ies)"
    r"|(?:is|are) clear)"
)
# Only words that name no text in particular: "According to the operator" says who it is from, "in the 2021 census"
# what it is about, and both are part of the claim.
_ANY = (
    r"(?:the|this|these|that|those|all|both|my|our|its|information|data|evidence|details|facts|provided|given|available"
    r"|retrieved|cited|above|following|search|in|by|from|of)\s"
)
_OPENINGS = (
    r"(?:according to|based on|as (?:stated|noted|described|reported|shown|mentioned|given|explained) in|judging by"
    r"|drawing on)"
)
_LEAD_INS = [
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        (
            rf"{_OPENINGS}\s(?:{_ANY}){{0,6}}?{_PLACE}(?:\s(?:provided|given|above|retrieved|cited|available))?"
            rf"(?:\s{_QUOTED})?\s?[,:]\s*"
        ),
        rf"(?:{_ANY}){{1,4}}?{_PLACE}(?:\s{_QUOTED})?\s{_SAYS}\sthat\s",
        rf"it is (?:stated|noted|reported|mentioned|said) (?:in|by) (?:{_ANY}){{0,3}}?{_PLACE}\sthat\s",
        r"(?:nach|laut|gemäß) (?:(?:den|der|dem|diesen) )?(?:[\w-]+en )?(?:quellen?|dokumenten?|angaben|texte?n?)\s",
        r"(?:según|de acuerdo con) (?:la información de )?(?:(?:las|los|la|el) )?(?:fuentes?|documentos?|textos?),\s*",
        r"(?:selon|d'après) (?:(?:les|le|la|ces) )?(?:informations des )?(?:sources?|documents?|textes?),\s*",
    )
]
_AFTERTHOUGHT = re.compile(
    rf",?\s{_OPENINGS}\s(?:{_ANY}){{1,4}}?{_PLACE}(?:\s(?:provided|given|retrieved|above))?(?=[.!]?$)",
    re.IGNORECASE,
)

_LISTS = (
    r"(?:lists?|describes?|explains?|covers?|discusses|outlines?|summari[sz]es|documents?|introduces?|addresses|details?"
    r"|sets? out|deals? with|has more|goes into|elaborates?"
    r"|(?:shows?|gives?|provides?|contains?|offers?|has|have|holds?)\s(?:how|what|where|why|which|when|more|further"
    r"|(?:the )?details|information|an? overview|an? (?:full |complete )?list|instructions|guidance))"
)
_TREATED = (
    r"(?:described|explained|covered|discussed|listed|documented|detailed|set out|given|outlined|addressed|treated"
    r"|summari[sz]ed|available|found)"
)
_WORDS = r"(?:[\w'-]+\s)"
_POINTERS = [
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        (
            r"(?:for (?:more|further|details)[^,]*,\s*)?(?:please\s)?(?:see|refer to|consult|cf\.?|compare|look at"
            r"|read)\s(?!that\b)[^,;]*"
        ),
        (
            rf"(?:the|this|that|its|our|their|another|a)\s{_WORDS}{{0,4}}?{_PLACE}(?:\s{_QUOTED})?"
            rf"(?:\s(?:there|here|above|below))?(?:\s(?:of|on|for|in|about)\s[^,;]{{1,50}}?)?\s(?:also\s)?{_LISTS}\b"
            r"(?!\sthat\b)[^;]*"
        ),
        rf"[^,;]*\s(?:is|are)\s{_TREATED}\s{_WORDS}{{0,4}}?(?:in|by|on|at|under)\s{_WORDS}{{0,4}}?{_PLACE}\b[^,;]*",
    )
]
_POINTING_PHRASE = re.compile(
    rf"(?:in|on|from|under|at)\s(?:the|this|its|these|their)\s{_WORDS}{{0,3}}?{_PLACE}\b[^,;]*", re.IGNORECASE
)
# What makes a phrase that begins with a preposition a sentence: "In the notes the throughput doubled".
_VERB = re.compile(
    r"\b(?:is|are|was|were|be|been|has|have|had|can|could|will|would|may|might|must|shall|should|do|does|did"
    r"|[a-z]{2,}ed|rose|fell|grew|won|lost|made|said|says|found|gave|gives|took|takes|went|came|became|stands?|began)\b"
)
_FIGURE = re.compile(r"(?<![\w.])\d[\d,]*(?:\.\d+)?(?:%|\s?[a-z]{1,12}\b)?(?![\w.])|\b(?:1[5-9]|20)\d\d\b")
_CALLED = re.compile(
    rf"(?:\b{_PLACE}|\b(?:titled|entitled|called|named|headed|headline|title|heading|paper|module|class|option|film|song"
    r"|novel|series|album|play|poem|painting|exhibition|column|essay|journal|magazine|newspaper))[\s,:(]*$",
    re.IGNORECASE,
)
_FILE = re.compile(r"[\w./\\-]+\.[A-Za-z0-9]{1,5}")
_SMALL = {"a", "an", "the", "of", "and", "or", "in", "on", "for", "to", "with", "at", "by", "from", "as", "is", "vs"}


def strip_lead_in(sentence: str) -> str:
    """Return `sentence` without the words that only say where it is from: "According to the sources, "."""
    for lead_in in _LEAD_INS:
        if (match := lead_in.match(sentence)) and len(sentence) - match.end() > 1:
            rest = sentence[match.end() :]
            return strip_lead_in(rest[0].upper() + rest[1:])
    return _AFTERTHOUGHT.sub("", sentence)


def is_pointer(sentence: str) -> bool:
    """Tell whether `sentence` only says where something is written: "See the changelog", "In the notes for 2.0"."""
    bare = sentence.strip().rstrip(".:! ")
    for pattern in _POINTERS:
        if pattern.fullmatch(bare) and not _FIGURE.search(re.sub(_QUOTED, "", bare)):
            return True
    return _POINTING_PHRASE.fullmatch(bare) is not None and _VERB.search(bare) is None


def is_title(quote: str, before: str) -> bool:
    """Tell whether a quoted span names a text and quotes nothing: a file, or what is called a section or a page.

    Args:
        quote: The words in quotes.
        before: The text before the opening quote.
    """
    if _FILE.fullmatch(quote.strip()) or _CALLED.search(before[-40:]):
        return True
    # "in "The Case for Small Data"": every word of a headline is written large.
    words = [word for word in quote.split() if word.lower() not in _SMALL]
    is_headline = len(words) > 1 and all(word[0].isupper() or word[0].isdigit() for word in words)
    return is_headline and bool(re.search(r"\b(?:in|from|on|under|see|per)\s*$", before, re.IGNORECASE))
