"""Users of a host besides root, who log in with root's key."""

from local.lab.api import LabHost


def add_users(host: LabHost) -> None:
    """Add `deploy`, who may use sudo without a password; `clerk`, whom sudo asks for one; and `guest` without sudo."""
    host.exec(
        """\
for user in deploy clerk guest; do
    useradd -m -s /bin/sh $user
    mkdir -p -m 700 /home/$user/.ssh
    cp /root/.ssh/authorized_keys /home/$user/.ssh/
    chown -R $user: /home/$user/.ssh
done
echo 'deploy ALL=(ALL:ALL) NOPASSWD: ALL' >/etc/sudoers.d/deploy
echo 'clerk ALL=(ALL:ALL) ALL' >/etc/sudoers.d/clerk
"""
    )
