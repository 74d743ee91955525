"""Parses a rule specification: which option belongs to which match or target, resolved as iptables does."""

from __future__ import annotations

from itertools import product

from rules.errors import ExpectedError, RuleSyntaxError, did_you_mean
from rules.language.tokens import Token
from rules.language.words import Loaded, WordReader, spell
from rules.model import BASE_MATCHES, VERDICTS, Match, Option, Rule, Target
from rules.options.base import BASE, BASE_FLAGS, CORE_FLAGS, LONG_FLAGS
from rules.options.extensions import Extension, OptionSpec, Quoting, WordError, finish
from rules.options.matches import IMPLICIT, MATCHES
from rules.options.targets import TARGETS
from rules.values.family import Family
from rules.values.numerals import as_the_kernel, refuse_two_readings
from rules.values.typed import Network, Protocol, Value

# Stateless matches that the nf_tables backend merges if they are given twice.
_MERGED = ("tcp", "udp")


class SpecReader:
    """Collects the matches and the target of one rule. ``lenient``: unknown parts are kept as opaque words."""

    def __init__(self, words: WordReader, family: Family, lenient: bool) -> None:
        self.words = words
        self.family = family
        self.lenient = lenient
        self.base: dict[str, tuple[Token, list[Option]]] = {}
        self.unknown: list[Match] = []
        self.loaded: list[Loaded] = []
        self.target: Loaded | None = None

    # -- loading extensions

    def load_match(self, flag: Token, negation: Token | None) -> None:
        """``-m NAME``."""
        self._no_negation(flag, negation)
        name = self.words.value(flag, "the name of a match")
        extension = MATCHES.get(name.text)
        if extension is None and not self.lenient:
            reason = f'there is no match "{name.text}"{did_you_mean(name.text, MATCHES)}'
            raise self.words.line.unknown(name.column, reason, "the name of a match extension")
        unfit = extension is not None and self.family not in extension.families
        if unfit and not self.lenient:
            raise self.words.error(
                name, f"the {name.text} match is not for {self.family.label}", self._counterpart(name.text)
            )
        known = extension is not None and extension.options is not None
        self.loaded.append(Loaded(name, extension, opaque=not known or unfit))
        self._opaque_words()

    def _counterpart(self, name: str) -> str:
        pairs = {"icmp": "-p icmpv6 --icmpv6-type", "icmp6": "-p icmp --icmp-type", "icmpv6": "-p icmp --icmp-type"}
        pairs |= {"ttl": "-m hl", "hl": "-m ttl"}
        return pairs.get(name, "a match of this family")

    def load_target(self, flag: Token, negation: Token | None, goto: bool) -> None:
        """``-j NAME`` or ``-g NAME``; whether a chain of that name exists is checked when the table is complete."""
        self._no_negation(flag, negation)
        name = self.words.value(flag, "a target or a chain")
        if self.target is not None:
            raise self.words.error(flag, "the rule has a second target", "one -j or -g only")
        extension = TARGETS.get(name.text)
        unfit = extension is not None and self.family not in extension.families
        if unfit and not self.lenient:
            raise self.words.error(name, f"{name.text} is not for {self.family.label}", "a target of this family")
        opaque = unfit or (extension is not None and extension.options is None)
        self.target = Loaded(name, extension, goto=goto, target=True, opaque=opaque)
        self.loaded.append(self.target)
        if extension is None and name.text not in VERDICTS and self.lenient:
            self.target.opaque = self._option_follows()
        self._opaque_words()

    def _option_follows(self) -> bool:
        following = self.words.peek()
        return following is not None and following.text not in CORE_FLAGS and following.text != "!"

    def _no_negation(self, flag: Token, negation: Token | None) -> None:
        if negation is not None:
            raise self.words.error(negation, f'"!" cannot stand before {flag.text}', "an option that can be negated")

    def _opaque_words(self) -> None:
        """Give an opaque extension all words up to the next core option."""
        loaded = self.loaded[-1]
        start = self.words.index
        while loaded.opaque and self.words.more():
            tokens = self.words.tokens[self.words.index : self.words.index + 2]
            first = tokens[1] if tokens[0].text == "!" and not tokens[0].quoted and len(tokens) > 1 else tokens[0]
            if not first.quoted and first.text in CORE_FLAGS:
                break
            loaded.raw.append(spell(self.words.next()))
        read = loaded.extension.read_words if loaded.extension is not None else None
        if read is None or not loaded.opaque:
            return
        given = self.words.tokens[start : self.words.index]
        try:
            loaded.raw = list(read(tuple(token.text for token in given), self.family))
        except WordError as problem:
            if not self.lenient:
                place = loaded.token if problem.place is None else given[problem.place]
                raise self.words.error(place, problem.reason, problem.expected) from None

    # -- options

    def read_option(self, flag: Token, negation: Token | None) -> None:
        """Read one option with its value, for the base, a loaded extension or the protocol's own extension."""
        flag, inline = self._split_inline(flag)
        start = self.words.index - 1
        spec, owner = self._find(flag)
        if spec is None:
            self._unknown_option(flag, negation)
            return
        try:
            self._read(spec, owner, flag, negation, inline)
        except RuleSyntaxError:
            if not self.lenient:
                raise
            self.words.index = start + 1
            self._keep_words(owner, flag, negation)

    def _split_inline(self, flag: Token) -> tuple[Token, Token | None]:
        name, equals, value = flag.text.partition("=")
        if not equals or not name.startswith("--"):
            return flag, None
        column = flag.column + len(name) + 1
        return Token(name, False, flag.line, flag.column), Token(value, True, flag.line, column)

    def _find(self, flag: Token) -> tuple[OptionSpec | None, Loaded | None]:
        if flag.text in BASE_FLAGS:
            return BASE_FLAGS[flag.text], None
        if not flag.text.startswith("--"):
            return None, None
        name = flag.text[2:]
        for loaded in reversed(self.loaded):
            spec = loaded.extension.spec(name) if loaded.extension is not None else None
            if spec is not None:
                return spec, loaded
        # The protocol's own match is loaded only for options that no other has: `-m multiport --dport 80,443` is
        # `--dports`.
        shortened, owner = self._find_abbreviated(flag, name, None)
        if shortened is not None:
            return shortened, owner
        implicit = self._implicit()
        if implicit is not None and (spec := implicit.spec(name)) is not None:
            return spec, self._load_implicit(flag, implicit)
        return self._find_abbreviated(flag, name, implicit) if implicit is not None else (None, None)

    def _find_abbreviated(
        self, flag: Token, name: str, implicit: Extension | None
    ) -> tuple[OptionSpec | None, Loaded | None]:
        """Find an option by an unambiguous prefix of its name, as getopt allows."""
        found: dict[tuple[int, str], tuple[OptionSpec, Loaded | None]] = {}
        candidates: list[tuple[Extension | None, Loaded | None]] = [(BASE, None)]
        candidates += [(loaded.extension, loaded) for loaded in self.loaded]
        candidates += [(implicit, None)]
        for place, (extension, loaded) in enumerate(candidates):
            for full in extension.names if extension is not None and not self.lenient else ():
                spec = extension.spec(full) if full.startswith(name) and extension is not None else None
                if spec is not None:
                    found[(place, spec.name)] = (spec, loaded)
        core = [flag for flag in LONG_FLAGS if flag[2:].startswith(name)]
        if len(found) != 1 or (core and next(iter(found))[0] != 0):
            return None, None
        ((place, _name), (spec, loaded)) = found.popitem()
        if implicit is not None and place == len(candidates) - 1:
            loaded = self._load_implicit(flag, implicit)
        return spec, loaded

    def _implicit(self) -> Extension | None:
        """The extension of the rule's protocol, unless it is already loaded or the protocol is negated."""
        if "protocol" not in self.base:
            return None
        option = self.base["protocol"][1][0]
        if option.negated or not isinstance(option.value, Protocol):
            return None
        extension = MATCHES.get(IMPLICIT.get(option.value.number, ""))
        if extension is None or extension.options is None or self.family not in extension.families:
            return None
        return None if any(loaded.extension is extension for loaded in self.loaded) else extension

    def _load_implicit(self, flag: Token, extension: Extension) -> Loaded:
        loaded = Loaded(flag, extension)
        self.loaded.append(loaded)
        return loaded

    def _read(
        self, spec: OptionSpec, owner: Loaded | None, flag: Token, negation: Token | None, inline: Token | None
    ) -> None:
        start = self.words.index
        negated = negation is not None
        following = self.words.peek()
        old_style = following is not None and following.text == "!" and not following.quoted
        if spec.negatable and spec.kind.arity and old_style:
            if negated:
                raise self.words.error(following, "the option is negated twice", "one !")
            self.words.next()
            negated = True
        if negated and not spec.negatable:
            raise self.words.error(negation, f"{flag.text} cannot be negated", "the option without !")
        if inline is not None and not spec.kind.arity:
            raise self.words.error(inline, f"{flag.text} takes no value", f"{flag.text} alone")
        values = self._words_of(spec, flag, inline)
        options = self._values(spec, values, flag, negated)
        if owner is None:
            self._keep_base(spec, flag, options)
            return
        option = spec.rewrite(options[0]) if spec.rewrite is not None else options[0]
        if option.name in owner.options and not self.lenient:
            raise self.words.error(flag, f"{flag.text} is given twice", "each option once")
        owner.options[option.name] = option
        owner.raw += ["!"] if negation is not None else []
        owner.raw += [flag.text, *(spell(token) for token in self.words.tokens[start : self.words.index])]

    def _words_of(self, spec: OptionSpec, flag: Token, inline: Token | None) -> list[Token]:
        found = [inline] if inline is not None else []
        found += [self.words.value(flag, spec.kind.expected) for _ in range(spec.kind.arity - len(found))]
        if self.lenient and spec.kind.quoting is Quoting.SPACED and not found[0].quoted:
            return self.words.bare(found, until="--mask" if spec.name == "name" else "")
        return found

    def _values(self, spec: OptionSpec, tokens: list[Token], flag: Token, negated: bool) -> list[Option]:
        lists = spec.name in ("source", "destination")
        texts = tokens[0].text.split(",") if lists else [""]
        if lists and negated and len(texts) > 1:
            raise self.words.error(tokens[0], "! is not possible with several addresses", "one address")
        try:
            words = [(text,) for text in texts] if lists else [tuple(token.text for token in tokens)]
            if spec.kind.numerals:
                words = [tuple(map(self._numerals, each)) for each in words]
            return [Option(spec.name, spec.kind.read(each, self.family), negated) for each in words]
        except ExpectedError as problem:
            place = tokens[0] if tokens else flag
            found = " ".join(token.text for token in tokens)
            raise self.words.error(place, problem.reason or f'"{found}" does not fit', problem.expected) from None

    def _numerals(self, text: str) -> str:
        if self.lenient:
            return as_the_kernel(text)
        refuse_two_readings(text)
        return text

    def _keep_base(self, spec: OptionSpec, flag: Token, options: list[Option]) -> None:
        if spec.name in self.base:
            raise self.words.error(flag, f"{flag.text} is given twice", "each option once")
        self.base[spec.name] = (flag, options)

    # -- unknown parts

    def _unknown_option(self, flag: Token, negation: Token | None) -> None:
        if self.lenient:
            self._keep_words(self.loaded[-1] if self.loaded else None, flag, negation)
            return
        raise self.words.line.unknown(flag.column, *self._unknown_reason(flag))

    def _unknown_reason(self, flag: Token) -> tuple[str, str]:
        name = flag.text.lstrip("-")
        ports = ("sport", "dport", "source-port", "destination-port")
        if name in ports:
            return f"{flag.text} needs a protocol with ports before it", "-p tcp, -p udp, -p sctp or -p dccp"
        if name in ("icmp-type", "icmpv6-type"):
            own = "-p icmp --icmp-type" if self.family is Family.IPV4 else "-p icmpv6 --icmpv6-type"
            return f"{flag.text} does not go with this protocol and family", own
        owners = [match.name for match in MATCHES.values() if match.spec(name) is not None]
        owners = list(dict.fromkeys(owners))
        if owners:
            return f"{flag.text} needs its match before it", " or ".join(f"-m {owner}" for owner in owners)
        targets = [target.name for target in TARGETS.values() if target.spec(name) is not None]
        if targets:
            return f"{flag.text} needs its target before it", " or ".join(f"-j {target}" for target in targets)
        known = [f"--{option}" for loaded in self.loaded if loaded.extension for option in loaded.extension.names]
        implicit = self._implicit()
        known += [f"--{option}" for option in implicit.names] if implicit is not None else []
        known += [flag for flag in CORE_FLAGS if len(flag) > 2]
        return (
            f"unknown option {flag.text}{did_you_mean(flag.text, known)}",
            "an option of the loaded matches or target",
        )

    def _keep_words(self, owner: Loaded | None, flag: Token, negation: Token | None) -> None:
        """Keep an option that could not be parsed as opaque, with the words up to the next option."""
        kept = ["!"] if negation is not None else []
        kept.append(flag.text)
        while self.words.more() and not self.words.is_flag(self.words.peek()):
            following = self.words.tokens[self.words.index]
            after = self.words.tokens[self.words.index + 1 : self.words.index + 2]
            if following.text == "!" and not following.quoted and after and self.words.is_flag(after[0]):
                break
            kept.append(spell(self.words.next()))
        if owner is None:
            self.unknown.append(Match("", opaque=True, tokens=tuple(kept)))
            return
        owner.opaque = True
        owner.raw += kept

    # -- the result

    def rules(self, chain: str) -> list[Rule]:
        """The rules of the line: one, or one for each pair of addresses given in lists."""
        merged = self._merged()
        matches = tuple(self._match(loaded) for loaded in merged)
        target = self._target() if self.target is not None else None
        found = []
        for options in self._base_options():
            base = tuple(Match(option.name, (option,)) for option in options)
            found.append(Rule(chain, (*base, *self.unknown, *matches), target, self.words.line.number))
        return found

    def _base_options(self) -> list[tuple[Option, ...]]:
        given = [self.base[name][1] for name in BASE_MATCHES if name in self.base]
        return [tuple(option for option in options if not idle(option)) for options in product(*given)]

    def _merged(self) -> list[Loaded]:
        kept: list[Loaded] = []
        for loaded in self.loaded:
            if loaded.target:
                continue
            first = next((old for old in kept if old.name == loaded.name and loaded.name in _MERGED), None)
            if first is None or first.opaque or loaded.opaque:
                kept.append(loaded)
            elif first.options.keys() & loaded.options.keys():
                if not self.lenient:
                    raise self.words.error(loaded.token, f"{loaded.name} is given twice", "each option once")
                kept.append(loaded)
            else:
                first.options.update(loaded.options)
        return kept

    def _match(self, loaded: Loaded) -> Match:
        if loaded.opaque or loaded.extension is None:
            return Match(loaded.name, opaque=True, tokens=tuple(loaded.raw))
        return Match(loaded.name, finish(loaded.extension, loaded.options, self.family))

    def _target(self) -> Target:
        assert self.target is not None
        loaded = self.target
        if loaded.opaque:
            return Target(loaded.name, goto=loaded.goto, opaque=True, tokens=tuple(loaded.raw))
        options = finish(loaded.extension, loaded.options, self.family) if loaded.extension is not None else ()
        return Target(loaded.name, options, loaded.goto)


def idle(option: Option) -> bool:
    """Whether a base match matches every packet, so that the kernel drops it."""
    value: Value = option.value
    if option.negated:
        return False
    if isinstance(value, Network):
        return value.everything
    if isinstance(value, Protocol):
        return value.number == 0
    return value == "+"
