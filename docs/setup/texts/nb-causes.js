// Norwegian (bokmål): why something did not work.

export default Object.freeze({
  "end.wrong-code": "Denne enheten har en annen oppsettskode. Sammenlign koden med etiketten.",
  "end.locked": "For mange feil koder. Enheten prøver den neste om {seconds} sekunder.",
  "end.locked-long": "For mange feil koder. Enheten prøver den neste om {minutes} minutter.",
  "end.protocol": "Enheten forsto ikke denne siden. Last siden inn på nytt, og prøv igjen.",
  "end.timeout": "Enheten ventet for lenge. Gå nærmere, og koble til igjen.",
  "end.closed":
    "Oppsettet ble lukket på enheten. Åpne det igjen med knappen eller kommandoen `sudo sensed setup open`.",
  "end.version":
    "Enheten snakker en annen versjon enn denne siden. Oppdater sensed på enheten, og last siden inn på nytt.",
  "end.reset":
    "Enheten ble tilbakestilt og har en ny oppsettskode. Kommandoen `sudo sensed setup code` viser den.",
  "end.impostor":
    "Det som svarer, kjenner ikke oppsettskoden. Kanskje er det en annen enhet; den har ikke fått vite noe.",
  "end.broken": "Det som kom fra enheten, var skadet. Koble til igjen.",
  "end.lost": "Forbindelsen ble brutt. Gå nærmere, og koble til igjen.",
  "end.silent": "Enheten svarer ikke lenger. Gå nærmere, og koble til igjen.",
  "end.left": "Forbindelsen ble avsluttet.",
  "end.occupied":
    "En annen telefon eller PC er koblet til enheten. Koble den fra, eller vent.",
  "end.not-open":
    "Oppsettet er ikke åpent. Åpne det med knappen på enheten eller kommandoen `sudo sensed setup open`.",
  "end.not-chosen": "Ingen enhet ble valgt.",
  "end.no-bluetooth":
    "Nettleseren lot ikke siden bruke Bluetooth. Se etter om Bluetooth er på og tillatt for nettleseren.",
  "end.unreachable": "Enheten kan ikke nås. Gå nærmere, og prøv igjen.",
  "end.not-sensed":
    "Dette er ingen sensed-enhet, eller versjonen er for gammel for denne siden, eller kryptert oppsett er slått av der.",

  "code.bad-request": "Enheten forsto ikke det siden ba om. Last siden inn på nytt.",
  "code.unknown-request": "Denne versjonen av sensed kan ikke dette. Oppdater den.",
  "code.busy": "Enheten arbeider fortsatt med noe annet. Prøv igjen om et øyeblikk.",
  "code.failed": "Enheten fikk det ikke til. Journalen forteller hvorfor: `journalctl -u sensed`",
  "code.timeout": "Det tok for lang tid. Prøv igjen.",
  "code.too-long": "Det er for mye for én melding. Lagre sertifikatene for seg.",
  "code.unknown": "Enheten oppgir en grunn som siden ikke kjenner: {code}",

  "code.wrong-password": "Nettet godtar ikke dette passordet.",
  "code.ssid-not-found":
    "Enheten ser ikke nettet. Mange enheter ser bare nett på 2,4 GHz, mens telefonen kan være på 5 GHz.",
  "code.no-dhcp": "Nettet gir ingen adresse. Se på DHCP i ruteren.",
  "code.supplicant":
    "Nettet slipper ikke enheten inn. Sjekk passordet; er det riktig, bytt fra WPA3 til WPA2 i ruteren.",
  "code.wifi-blocked":
    "Wi-Fi er blokkert på enheten: sett Wi-Fi-land med `raspi-config`, eller opphev blokkeringen med `rfkill`.",
  "code.no-wifi": "Enheten har ingen Wi-Fi-adapter som kan brukes.",
  "code.permission":
    "Programmet på enheten har ikke lov til å endre nett. Installer pakken på nytt.",
  "code.security-unsupported":
    "Denne typen Wi-Fi-sikkerhet kan ikke brukes med bare et passord.",
  "code.hardware": "Wi-Fi-adapteren sviktet. Start enheten på nytt.",
  "code.network-manager": "NetworkManager på enheten avslo, eller kjører ikke.",
  "code.not-saved": "Nettet virker, men kunne ikke lagres. Prøv igjen.",

  "code.unknown-setting": "Enheten kjenner ikke denne innstillingen. Oppdater sensed på enheten.",
  "code.locked": "Denne innstillingen er bestemt i `/etc/sensed/sensed.toml` og kan ikke endres her.",
  "code.invalid": "Enheten godtar ikke denne verdien.",
  "code.contradiction": "Innstillingene passer ikke sammen.",
  "code.not-stored": "Innstillingene kunne ikke skrives. Er disken på enheten full?",
  "code.broker-dns":
    "Meglerens navn er ikke kjent i nettet. Sjekk det, eller skriv inn en adresse.",
  "code.broker-refused": "Ingen lytter på denne porten. Sjekk at megleren kjører, og porten.",
  "code.broker-unreachable": "Meglerens adresse kan ikke nås. Sjekk den og nettet.",
  "code.broker-timeout": "Megleren svarer ikke. Sjekk adressen og brannmuren.",
  "code.broker-tls":
    "Ingen kryptert forbindelse: sjekk TLS-innstillingen, porten, meglerens sertifikat og navnet i det.",
  "code.broker-clock":
    "Meglerens sertifikat gjelder ikke ennå, så enhetens klokke går feil. Vent til den har fått tiden fra nettet.",
  "code.broker-version": "Megleren godtar ikke denne versjonen av MQTT. Velg den andre.",
  "code.broker-identifier": "Megleren godtar ikke enhetens klient-id. Velg en annen.",
  "code.broker-unavailable": "Megleren tar ikke imot forbindelser nå. Prøv igjen senere.",
  "code.broker-not-authorised": "Megleren avviser brukernavnet eller passordet.",
  "code.broker-not-permitted":
    "Megleren lar ikke enheten skrive og lese sine egne emner. Tillat det i meglerens tilgangsliste.",
  "code.broker-no-acknowledgement": "Megleren kvitterer ikke lenger.",
  "code.broker-protocol": "Det som lytter der, snakker ikke MQTT. Sjekk porten og TLS-innstillingen.",
  "code.broker-taken-over":
    "En annen klient hos megleren bruker samme klient-id. Gi hver enhet sin egen id.",
  "code.broker-lost": "Forbindelsen til megleren ble brutt.",

  "cause.configured.no_broker": "Ingen megler er angitt.",
  "cause.configured.no_network": "Ingen Wi-Fi-nett er lagret, og ingen kabel er koblet til.",
  "cause.meter.no_octets":
    "Ingenting kommer fra adapteren. Sjekk kabelen, og spør nettselskapet om HAN-porten er åpnet.",
  "cause.meter.no_frames": "Noe kommer, men ingen hele telegrammer. Sjekk kabelen og adapteren.",
  "cause.meter.no_device": "Det finnes ingen adapter. Sett den i.",
  "cause.meter.permission": "Programmet har ikke lov til å åpne adapteren.",
  "cause.meter.busy": "Et annet program har åpnet adapteren.",
  "cause.meter.not_a_tty": "Det som er angitt som adapter, er ikke en serieport.",
  "cause.meter.settings": "Adapteren støtter ikke linjeformatet.",
  "cause.meter.unplugged": "Adapteren ble tatt ut eller sviktet.",
  "cause.meter.unreachable": "Serieserveren svarer ikke.",
  "cause.meter.closed": "Serieserveren lukket forbindelsen.",
  "cause.meter.unknown_list": "Telegrammer kommer, men listen er ukjent. Send gjerne et opptak.",
  "cause.meter.malformed_list":
    "Det kommer telegrammer, men innholdet bryter reglene. Send gjerne et opptak.",
  "cause.meter.no_key": "Listene er kryptert. Skriv inn nøkkelen fra nettselskapet.",
  "cause.meter.wrong_key": "Listene er kryptert, og nøkkelen passer ikke.",
  "cause.meter.damaged": "Listene kommer fram skadet. Sjekk kabelen.",
  "cause.meter.unsupported_security": "Listene er kryptert på en måte som ikke støttes.",
  "cause.address.no_address": "Ingen forbindelse har en adresse. Sjekk Wi-Fi, kabel og DHCP.",
  "cause.address.wifi-blocked": "Wi-Fi er blokkert. Sett landet for Wi-Fi, eller opphev blokkeringen med `rfkill`.",
  "cause.light.light_unavailable": "GPIO-linjene til lyset kan ikke brukes.",
  "cause.bluetooth.no-dbus": "Det finnes ingen D-Bus for systemet.",
  "cause.bluetooth.no-bluez": "BlueZ kjører ikke.",
  "cause.bluetooth.no-adapter": "Det finnes ingen Bluetooth-adapter.",
  "cause.bluetooth.adapter-blocked": "Bluetooth-adapteren er blokkert.",
  "cause.bluetooth.refused": "BlueZ avslo.",
  "cause.network_manager.absent": "Det kjører ikke, eller har ingen D-Bus.",
});
