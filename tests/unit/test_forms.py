"""The shell patterns that once let a user become root are found in new code."""

from functools import cache

import pytest

from tests.forms import Found, everything, forms, found, judged


@cache
def here() -> list[Found]:
    """Those of the repository."""
    return everything()


def test_what_runs_on_hosts_has_none_of_them() -> None:
    assert judged(here()) == []


@pytest.mark.parametrize(
    ("form", "line"),
    [
        ("value in -v", """awk -F: -v name="$account" -v was="$(cat "$entry")" '"""),
        ("value in -v", "    -v was=$entry '{ print was }'"),
        ("value in -v", """mawk -vname=$1 '{ print name }'"""),
        ("program text", """sed "s/^5d0c /$NONCE /" "$record\""""),
        ("program text", """printf x | sed -n -e "s,$1,,p\""""),
        ("program text", """awk "/$name/ { print }" /etc/passwd"""),
        ("in a home", 'chmod go-w "$home"'),
        ("in a home", 'chown -h "$owner" authorized_keys'),
        ("in a home", '[ -z "$prior_ssh_mode" ] || chmod "$prior_ssh_mode" .'),
        ("in a home", '(cd "$home/.ssh" && as_user true)'),
        ("in a home", 'if :; then mkdir -m 700 "$home/.ssh"; fi'),
        ("in a home", 'umask=077 cp "$guard/keys" ~deploy/.ssh/authorized_keys'),
        ("in a home", 'printf "%s" "$keys" >"$home/.ssh/authorized_keys"'),
        ("in a home", 'mv "$new" "${home}/x"'),
        ("in a home", 'as_then "$guard/home" "$home"'),
        ("in a home", '! rm -rf "$home_back"'),
        ("secret argument", 'usermod -p "$password" "$name"'),
        ("secret argument", 'grep -q "$(getent shadow "$name")" file'),
        ("secret argument", 'logger "$NONCE"'),
        ("word of a login", "set -- ${SSH_CONNECTION-}"),
    ],
)
def test_a_form_that_is_put_back_is_found(form: str, line: str) -> None:
    assert form in set(forms(line))
    source = f'"""A module."""\n\nBODY = """\\\nset -eu\n{line}\n"""\n'
    told = judged([*here(), *found("components/new.py", source)])
    assert any(one.startswith(f"components/new.py:5: {form}: ") for one in told), told


def test_a_place_in_a_home_is_known_by_another_name() -> None:
    source = 'keys=$home/.ssh/authorized_keys\nif [ -f "$keys" ] && grep -q x "${keys}"; then :; fi\n'
    assert [(one.form, one.line) for one in found("components/new.sh", source)] == [("in a home", 2)]
    assert not found("components/new.sh", source.replace("grep", "as_user grep"))


@pytest.mark.parametrize(
    "line",
    [
        """name=$1 awk '$1 == ENVIRON["name"] { print }' /etc/passwd""",
        """sed -n 's/^HOME=//p' | grep -v "$name" """,
        'as_user chmod go-w "$home"',
        'on_home "$home" chmod "$mode"',
        'case $(stat -Lc %A "$home") in ?????w*) ;; esac',
        'printf \'%s:%s\\n\' "$name" "$password" | chpasswd -e',
        'chmod 700 "$folder"',
        '[ "$(getent shadow "$name")" = "$(cat "$guard/shadow")" ] || entry_back "$guard/shadow" -s',
    ],
)
def test_what_is_meant_instead_is_none(line: str) -> None:
    assert list(forms(line)) == []


def test_a_program_that_runs_as_the_user_may_name_what_is_the_users() -> None:
    assert list(forms("chmod u+r authorized_keys", as_user=True)) == []


def test_an_allowance_for_what_is_gone_is_told() -> None:
    assert any("not there any more" in line for line in judged([]))


def test_where_a_form_is_and_which() -> None:
    source = 'A = "x"\nB = """\\\ntrue\nawk -v \\\\\n    was="$x" 1\n"""\n'
    assert [(one.form, one.line) for one in found("hosts/x.py", source)] == [("value in -v", 4)]
    assert list(found("hosts/x.py", '"""Not: awk -v was=$x."""\n')) == []
